import NetPoll
import Synchronization

/// A handler that notes what happens and does what a test told it to.
final class Recorder: ConnectionHandler {
    private(set) var connection: Connection?
    private(set) var events: [String] = []
    private(set) var received: [UInt8] = []
    private(set) var closeReason: CloseReason?
    private(set) var closedAt: Instant?
    var onReceive: ((inout MutableRawSpan, Connection) -> Void)?
    var onOpen: ((Connection) -> Void)?
    var onClose: (() -> Void)?
    var onFall: (() -> Void)?
    var closesAtEnd = true

    func opened(_ connection: Connection) {
        self.connection = connection
        events.append("opened")
        onOpen?(connection)
    }

    func received(_ bytes: inout MutableRawSpan, on connection: Connection) {
        bytes.bytes.withUnsafeBytes { received.append(contentsOf: $0) }
        if let onReceive { onReceive(&bytes, connection) }
    }

    func receivedEnd(on connection: Connection) {
        events.append("end")
        if closesAtEnd { connection.close() }
    }

    func roseAboveHighWatermark(_ connection: Connection) { events.append("high") }

    func fellBelowLowWatermark(_ connection: Connection) {
        events.append("low")
        onFall?()
    }

    func closed(_ connection: Connection, reason: CloseReason) {
        events.append("closed")
        closeReason = reason
        closedAt = connection.loop.now
        self.connection = nil
        onClose?()
    }
}

/// Hands one loop's recorders to its test, which runs in the same thread.
///
/// `@unchecked Sendable`: the listener's closure runs in the test's own thread.
final class Recorders: @unchecked Sendable {
    private(set) var all: [Recorder] = []
    private(set) var addresses: [SocketAddress] = []
    private let prepare: (Recorder) -> Void

    init(_ prepare: @escaping (Recorder) -> Void = { _ in }) {
        self.prepare = prepare
    }

    func make(_ connection: Connection, _ address: SocketAddress) -> any ConnectionHandler {
        let recorder = Recorder()
        prepare(recorder)
        all.append(recorder)
        addresses.append(address)
        return recorder
    }
}

extension Connection {
    /// Writes a text.
    @discardableResult
    func write(text: String) -> WriteOutcome {
        write(bytes: Array(text.utf8))
    }

    @discardableResult
    func write(bytes: [UInt8]) -> WriteOutcome { write(bytes.span.bytes) }
}
