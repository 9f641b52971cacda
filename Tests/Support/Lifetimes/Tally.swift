import NetPoll

/// What one world's connections and tasks came to. One that is well ends with nothing alive.
///
/// `@unchecked Sendable`: a world runs in one thread, its tasks on its loops in that same thread.
final class Tally: @unchecked Sendable {
    /// Handlers, and through them connections, that were made and not let go of.
    var handlersAlive = 0
    /// Connections that were opened and not closed.
    var connectionsOpen = 0
    var tasksBegun = 0
    var tasksEnded = 0
    /// Attempts whose outcome was not told yet.
    var attemptsOpen = 0
    /// How connections ended.
    var reasons: [String: Int] = [:]
    /// What went against the rules.
    var violations: [String] = []

    func expect(_ condition: Bool, _ rule: @autoclosure () -> String) {
        if !condition { violations.append(rule()) }
    }
}

/// What a client wants of the server, in its first byte.
enum Wish: UInt8, CaseIterable {
    case echo, pausingEcho, close, abort, flood, halfClose, silence, timers

    /// Whether the client's bytes come back, and nothing else.
    var isEcho: Bool { self == .echo || self == .pausingEcho || self == .timers }
}

/// The server's side of a lifetime.
final class ServedHandler: ConnectionHandler, TimerTarget {
    private enum Phase { case new, open, closed }

    private let tally: Tally
    private var phase = Phase.new
    private var connection: Connection?
    private var wish: Wish?
    private var timer: TimerID?

    init(_ tally: Tally) {
        self.tally = tally
        tally.handlersAlive += 1
    }

    deinit { tally.handlersAlive -= 1 }

    func opened(_ connection: Connection) {
        tally.expect(phase == .new, "opened in phase \(phase)")
        phase = .open
        self.connection = connection
        tally.connectionsOpen += 1
    }

    func received(_ bytes: inout MutableRawSpan, on connection: Connection) {
        tally.expect(phase == .open, "received in phase \(phase)")
        tally.expect(bytes.byteCount > 0, "received nothing")
        if wish == nil {
            let first = bytes.bytes.unsafeLoad(as: UInt8.self)
            wish = Wish(rawValue: first)
            tally.expect(wish != nil, "first byte \(first)")
        }
        switch wish {
        case .echo: connection.write(bytes.bytes)
        case .pausingEcho:
            if connection.write(bytes.bytes) == .aboveHighWatermark { connection.pauseReading() }
        case .timers:
            connection.write(bytes.bytes)
            if timer == nil { timer = connection.loop.schedule(after: .milliseconds(700), self) }
        case .close:
            connection.write(bytes.bytes)
            connection.close()
        case .abort: connection.abort()
        case .flood:
            let bytes = [UInt8](repeating: 0, count: 30_000)
            connection.write(bytes.span.bytes)
        case .halfClose:
            connection.write(bytes.bytes)
            connection.closeWrite()
        case .silence: connection.inputIsIncomplete = true
        case nil: connection.abort()
        }
    }

    func receivedEnd(on connection: Connection) {
        tally.expect(phase == .open, "end in phase \(phase)")
        connection.close()
    }

    func roseAboveHighWatermark(_ connection: Connection) {
        tally.expect(phase == .open, "high in phase \(phase)")
        if wish == .pausingEcho { connection.pauseReading() }
    }

    func fellBelowLowWatermark(_ connection: Connection) {
        tally.expect(phase == .open, "low in phase \(phase)")
        if wish == .pausingEcho { connection.resumeReading() }
    }

    func timerFired(_ id: TimerID, on loop: EventLoop) {
        tally.expect(phase == .open && timer == id, "a timer in phase \(phase)")
        timer = loop.schedule(after: .milliseconds(700), self)
    }

    func closed(_ connection: Connection, reason: CloseReason) {
        tally.expect(phase == .open, "closed in phase \(phase)")
        phase = .closed
        if let timer { connection.loop.cancel(timer) }
        timer = nil
        self.connection = nil
        tally.connectionsOpen -= 1
        tally.reasons["\(reason)", default: 0] += 1
    }
}

/// The client's side of a lifetime that a loop connects.
final class DialledHandler: ConnectionHandler {
    private let tally: Tally
    private let message: [UInt8]
    private var received = 0
    private(set) var connection: Connection?

    init(_ tally: Tally, message: [UInt8]) {
        self.tally = tally
        self.message = message
        tally.handlersAlive += 1
    }

    deinit { tally.handlersAlive -= 1 }

    func opened(_ connection: Connection) {
        self.connection = connection
        tally.connectionsOpen += 1
        let message = message
        connection.write(message.span.bytes)
    }

    func received(_ bytes: inout MutableRawSpan, on connection: Connection) {
        guard message.first.flatMap(Wish.init(rawValue:))?.isEcho == true else { return }
        bytes.bytes.withUnsafeBytes { bytes in
            let end = received + bytes.count
            tally.expect(
                end <= message.count && bytes.elementsEqual(message[received..<end]),
                "\(bytes.count) bytes that were not sent, after \(received)")
            received = end
        }
        if received == message.count { connection.closeWrite() }
    }

    func closed(_ connection: Connection, reason: CloseReason) {
        self.connection = nil
        tally.connectionsOpen -= 1
        tally.reasons["dialled: \(reason)", default: 0] += 1
    }
}
