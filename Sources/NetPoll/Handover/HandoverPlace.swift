import Synchronization

/// What a handover says over its Unix connection. The successor says ``ask``; the predecessor passes each
/// socket with ``socket``, then says ``all``, and ends the connection when the successor may go on. Or it
/// says ``busy`` and lives on.
enum HandoverByte {
    static let ask: UInt8 = 1
    static let socket: UInt8 = 2
    static let all: UInt8 = 3
    static let busy: UInt8 = 4
}

/// The predecessor's side of a handover: at most one successor at a time.
///
/// From the first passing on it holds the sockets itself, so that the next successor may have them where
/// one ended before its time, and their port is not closed meanwhile.
final class HandoverPlace: Sendable {
    private struct State {
        var successor: ConnectionID?
        var held: [OpenFile] = []
        /// The server ends without a successor: who asks now waits for that, and then listens itself.
        var isEnding = false
        /// The server has let go: nobody need wait for it any more.
        var isOver = false
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

    /// A successor asks; it is told where it is not the only one.
    func asked(_ connection: Connection) {
        let id = connection.id
        let (isFirst, isOver) = state.withLock { state in
            guard !state.isOver, state.successor == nil else { return (false, state.isOver) }
            state.successor = id
            return (true, false)
        }
        // It connected before the end: `end()` has closed nothing but the successor's connection.
        if isOver { return connection.close() }
        guard isFirst else { return refuse(connection) }
        let loop = connection.loop
        Task {
            let held = self.state.withLock { $0.held }
            let sockets = held.isEmpty ? await self.descriptors() : held.map(\.descriptor)
            loop.execute {
                withExtendedLifetime(held) { self.pass(sockets, to: id, on: loop) }
            }
        }
    }

    private func refuse(_ connection: Connection) {
        let answer = [HandoverByte.busy]
        connection.write(answer.span.bytes)
        connection.close()
    }

    private func pass(_ sockets: [Int32], to id: ConnectionID, on loop: EventLoop) {
        guard let connection = loop.connection(id) else { return }
        // `end()` closes it.
        if sockets.isEmpty, state.withLock({ $0.isEnding }) { return }
        guard sockets.count <= ListenerHandover.socketsMax, !sockets.isEmpty else {
            return refuse(connection)
        }
        do throws(SystemError) {
            for file in try hold(sockets) {
                switch try connection.send(
                    descriptor: file.descriptor, mark: HandoverByte.socket)
                {
                case .accepted, .aboveHighWatermark: continue
                case .refused: return refuse(connection)
                // The successor is gone, and ``gone(_:)`` lets the next one ask.
                case .closed: return
                }
            }
        } catch {
            // Descriptors are exhausted, or the sockets closed: the successor hears of it.
            return refuse(connection)
        }
        let end = [HandoverByte.all]
        if connection.write(end.span.bytes) != .closed { hasPassed.yield() }
    }

    private func hold(_ sockets: [Int32]) throws(SystemError) -> [OpenFile] {
        let known = state.withLock { $0.held }
        guard known.isEmpty else { return known }
        var copies: [OpenFile] = []
        for socket in sockets {
            let copy = try OpenFile(duplicating: socket)
            // The number may be another file's by now: what does not listen is passed to nobody.
            _ = try Socket.adoptListener(copy.descriptor)
            copies.append(copy)
        }
        let held = copies
        state.withLock { $0.held = held }
        return held
    }

    /// The server ends without a successor.
    func beginEnding() { state.withLock { $0.isEnding = true } }

    /// A successor is gone: the next may ask.
    func gone(_ id: ConnectionID) {
        state.withLock { state in
            if state.successor == id { state.successor = nil }
        }
    }

    /// Lets go of the sockets; returns the successor's connection, for who ends it.
    func end() -> ConnectionID? {
        state.withLock { state in
            defer { state = State(isEnding: true, isOver: true) }
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
        guard isAsked, Platform.isOfThisUser(peerOf: connection.descriptor) else {
            return connection.abort()
        }
        place.asked(connection)
    }

    func closed(_ connection: Connection, reason: CloseReason) { place.gone(connection.id) }
}
