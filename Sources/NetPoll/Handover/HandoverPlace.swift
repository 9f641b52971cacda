import Synchronization

/// What a handover says over its Unix connection. The successor says ``ask``; the predecessor passes each
/// socket with ``socket``, then says ``all``, and ends the connection when the successor may go on.
enum HandoverByte {
    static let ask: UInt8 = 1
    static let socket: UInt8 = 2
    static let all: UInt8 = 3
}

/// The predecessor's side of a handover: at most one successor at a time.
final class HandoverPlace: Sendable {
    private struct State {
        var successor: ConnectionID?
        var isPassed = false
    }

    /// Tells once that a successor has all sockets.
    let passed: AsyncStream<Void>
    private let hasPassed: AsyncStream<Void>.Continuation
    private let descriptors: @Sendable () async -> [Int32]
    private let state = Mutex(State())

    init(descriptors: @escaping @Sendable () async -> [Int32]) {
        self.descriptors = descriptors
        (passed, hasPassed) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// A successor asks; whether it is the only one.
    func asked(_ id: ConnectionID, on loop: EventLoop) -> Bool {
        let isFirst = state.withLock { state in
            guard state.successor == nil else { return false }
            state.successor = id
            return true
        }
        guard isFirst else { return false }
        Task {
            let sockets = await self.descriptors()
            loop.execute { self.pass(sockets, to: id, on: loop) }
        }
        return true
    }

    private func pass(_ sockets: [Int32], to id: ConnectionID, on loop: EventLoop) {
        guard let connection = loop.connection(id) else { return }
        guard sockets.count <= ListenerHandover.socketsMax, !sockets.isEmpty else {
            return connection.abort()
        }
        do throws(SystemError) {
            for socket in sockets {
                try connection.send(descriptor: socket, mark: HandoverByte.socket)
            }
        } catch {
            // Descriptors are exhausted: the successor hears of the end, and this server goes on.
            return connection.abort()
        }
        let end = [HandoverByte.all]
        connection.write(end.span.bytes)
        state.withLock { $0.isPassed = $0.successor == id }
        hasPassed.yield()
    }

    /// A successor is gone; before it had the sockets, the next may ask.
    func gone(_ id: ConnectionID) {
        state.withLock { state in
            if state.successor == id, !state.isPassed { state.successor = nil }
        }
    }

    /// The successor's connection, for who ends it.
    func takeSuccessor() -> ConnectionID? {
        state.withLock { state in
            defer { state.successor = nil }
            return state.successor
        }
    }
}

/// Serves who connects to the path of a handover.
final class HandoverWitness: ConnectionHandler {
    private let place: HandoverPlace

    init(_ place: HandoverPlace) {
        self.place = place
    }

    func received(_ bytes: inout MutableRawSpan, on connection: Connection) {
        let isAsked =
            bytes.byteCount == 1
            && bytes.bytes.unsafeLoad(as: UInt8.self) == HandoverByte.ask
        guard isAsked, place.asked(connection.id, on: connection.loop) else {
            return connection.abort()
        }
    }

    func closed(_ connection: Connection, reason: CloseReason) { place.gone(connection.id) }
}
