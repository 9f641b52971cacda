internal import AllocationCounter
internal import NetPoll
internal import WSFrame
internal import WSTransport

/// A client and a server of ours on one loop of the caller's thread, over loopback, whose messages
/// are counted by what they allocate.
///
/// To be used in one thread: after ``init(_:messageBytes:)``, which waits, in that of the first call
/// of ``open()``.
package final class Conversation {
    /// What goes to the server and comes back.
    package enum Form: String, CaseIterable, Sendable {
        /// A message as it is.
        case plain
        /// A message compressed by what all connections of a loop share.
        case shared
        /// A message compressed with the ones before it in mind.
        case context
        /// A message encoded before, by both sides.
        case prepared
        /// The same, compressed.
        case preparedShared

        var compression: CompressionConfiguration? {
            switch self {
            case .plain, .prepared: nil
            case .shared, .preparedShared: .shared
            case .context: .context
            }
        }

        var isPrepared: Bool { self == .prepared || self == .preparedShared }
    }

    /// No answer came.
    struct Silence: Error {}

    private final class Echo: WebSocketHandler, Sendable {
        let prepared: PreparedMessage?

        init(_ prepared: PreparedMessage?) {
            self.prepared = prepared
        }

        func received(_ message: RawSpan, kind: MessageKind, on connection: WebSocketConnection) {
            if let prepared {
                connection.send(prepared)
            } else {
                connection.send(message, kind: kind)
            }
        }
    }

    private final class Caller: WebSocketHandler {
        var connection: WebSocketConnection?
        var answers = 0
        var answerBytes = 0

        func opened(_ connection: WebSocketConnection) { self.connection = connection }

        func received(_ message: RawSpan, kind: MessageKind, on connection: WebSocketConnection) {
            answers += 1
            answerBytes = message.byteCount
        }

        func closed(_ connection: WebSocketConnection, reason: WebSocketCloseReason) {
            self.connection = nil
        }
    }

    private let form: Form
    private let message: [UInt8]
    private let prepared: PreparedMessage?
    private let loop: EventLoop
    private let server: WebSocketServer
    private let client: WebSocketClient
    private let caller = Caller()
    private let address: SocketAddress

    package init(_ form: Form, messageBytes: Int) async throws {
        self.form = form
        // Text that can be compressed.
        let words = Array("words that come again and again ".utf8)
        let text = (0..<messageBytes).map { words[($0 + $0 / 97) % words.count] }
        message = text
        if form.isPrepared {
            prepared = PreparedMessage(text.span.bytes, kind: .text)
        } else {
            prepared = nil
        }
        loop = EventLoop(driver: try Platform.makeDriver())
        loop.bindToCurrentThread()
        let group = EventLoopGroup(loops: [loop])
        var settings = WebSocketServer.Configuration()
        settings.compression = form.compression
        let echo = Echo(prepared)
        server = WebSocketServer(group: group, configuration: settings) { _, _, _ in
            .upgrade(echo)
        }
        var clientSettings = WebSocketClient.Configuration()
        clientSettings.compression = form.compression
        client = WebSocketClient(group: group, configuration: clientSettings)
        address = try await server.listen(on: SocketAddress(host: "127.0.0.1", port: 0))
    }

    /// Opens the WebSocket; gives how much that allocated.
    package func open() throws -> UInt64 {
        // The thread may be another one after waiting for the server.
        loop.bindToCurrentThread()
        let before = allocation_counter_count()
        client.connect(
            to: address, WebSocketRequest(host: "localhost"), on: loop, handler: caller)
        try turn { caller.connection != nil }
        return allocation_counter_count() - before
    }

    /// Ends everything.
    package func end() { loop.shutDown() }

    /// Whether what was agreed on is what is to be measured.
    package var isCompressed: Bool { caller.connection?.compression != nil }

    /// How long the last answer was.
    package var answerBytes: Int { caller.answerBytes }

    /// Sends so many messages, each when the one before is answered.
    ///
    /// - Returns: What both sides allocated from the first send to the last answer, and what the
    ///   client's sends alone did.
    package func talk(_ rounds: Int) throws -> (inAll: UInt64, bySends: UInt64) {
        guard let connection = caller.connection else { throw Silence() }
        let message = self.message
        var bySends: UInt64 = 0
        let before = allocation_counter_count()
        for _ in 0..<rounds {
            let expected = caller.answers + 1
            let beforeSend = allocation_counter_count()
            if let prepared {
                connection.send(prepared)
            } else {
                connection.send(message.span.bytes, kind: .text)
            }
            bySends += allocation_counter_count() - beforeSend
            try turn { caller.answers == expected }
        }
        return (allocation_counter_count() - before, bySends)
    }

    private func turn(until isDone: () -> Bool) throws {
        let deadline = loop.now + .seconds(10)
        while !isDone() {
            guard loop.now < deadline else { throw Silence() }
            loop.turn(until: loop.now + .milliseconds(10))
        }
    }
}
