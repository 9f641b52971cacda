public import NetPoll
public import WSFrame

/// A WebSocket as a task sees it: messages in by `for try await`, messages out by `send`.
///
/// ```swift
/// for try await message in connection.messages { try await connection.send(message) }
/// ```
///
/// Best used from a task that prefers the WebSocket's ``loop`` as its executor, as those of
/// ``AsyncWebSocketServer/serve(_:)`` and ``WebSocketClient/withConnection(_:at:on:_:)`` do: then
/// waiting for a message neither changes the thread nor allocates. From anywhere else the same calls
/// work, each with a way to the loop and back.
public struct AsyncWebSocket: Sendable {
    let core: AsyncWebSocketCore
    /// The task that ``withLifetime(_:)`` runs in, whose cancellation ends the WebSocket.
    private var scope: Int?
    /// Whether the current task is that one; a child's own cancellation is not seen there.
    var isScoped: Bool { scope != nil && scope == Self.currentTask }
    /// Names this WebSocket for ever.
    public let id: ConnectionID
    /// The peer's address, as its socket was accepted or connected.
    public let remoteAddress: SocketAddress
    /// The subprotocol that was agreed on; `nil` for none.
    public let subprotocol: String?
    /// The server's answer; `nil` on the server's side.
    public let opening: WebSocketOpening?

    /// To be made on the loop, of a WebSocket that is open.
    init(_ core: AsyncWebSocketCore) {
        guard let identity = core.identity else {
            preconditionFailure("a WebSocket for tasks was made before it was open")
        }
        self.core = core
        id = identity.id
        remoteAddress = identity.remoteAddress
        subprotocol = core.subprotocol
        opening = core.opening
    }

    /// What the client asked for; `nil` on the client's side.
    public var request: HTTPRequest? { core.request }

    /// The loop that owns the WebSocket.
    public var loop: EventLoop { core.loop }

    /// What the peer sends, until the WebSocket is closed. One task reads at a time.
    public var messages: Messages { Messages(connection: self) }

    /// Received bytes that no task has taken; on the loop only.
    package var waitingBytes: Int { core.waitingBytes }

    // MARK: - Sending

    /// Sends one message, and waits while more is queued than
    /// ``/NetPoll/Connection/Limits/highWatermark``.
    ///
    /// Messages of several tasks are sent one after the other. Cancelling a task that waits closes the
    /// WebSocket with 1001.
    ///
    /// - Parameters:
    ///   - message: Copied; text must be valid UTF-8 (RFC 6455 §5.6), which is not checked here.
    ///   - kind: Text or binary.
    ///   - compression: Whether it may be compressed, where that was agreed on.
    /// - Throws: ``WebSocketError``
    public func send(
        _ message: RawSpan, kind: MessageKind, compression: MessageCompression = .automatic
    ) async throws(WebSocketError) {
        let outcome = try sendAtOnce(message.byteCount) {
            $0.send(message, kind: kind, compression: compression)
        }
        if let outcome { return try await settle(outcome) }
        try await sendInTurn(.copy(message.withUnsafeBytes { Array($0) }, kind, compression))
    }

    /// Sends one text message; otherwise as ``send(_:kind:compression:)``.
    ///
    /// - Throws: ``WebSocketError``
    public func send(
        text: String, compression: MessageCompression = .automatic
    ) async throws(WebSocketError) {
        try await send(text.utf8Span.span.bytes, kind: .text, compression: compression)
    }

    /// Sends a message that was received; otherwise as ``send(_:kind:compression:)``.
    ///
    /// - Throws: ``WebSocketError``
    public func send(
        _ message: WebSocketMessage, compression: MessageCompression = .automatic
    ) async throws(WebSocketError) {
        let outcome = try sendAtOnce(message.bytes.count) { webSocket in
            message.bytes.withBytes {
                webSocket.send($0, kind: message.kind, compression: compression)
            }
        }
        if let outcome { return try await settle(outcome) }
        try await sendInTurn(.received(message, compression))
    }

    /// Sends a message that was encoded before; otherwise as ``send(_:kind:compression:)``.
    ///
    /// - Throws: ``WebSocketError``
    public func send(_ message: PreparedMessage) async throws(WebSocketError) {
        if let outcome = try sendAtOnce(message.payload.count, { $0.send(message) }) {
            return try await settle(outcome)
        }
        try await sendInTurn(.prepared(message))
    }

    /// Sends where that needs no waiting; `nil` where it does.
    @inline(__always)
    private func sendAtOnce(
        _ count: Int, _ send: (WebSocketConnection) -> WriteOutcome
    ) throws(WebSocketError) -> WriteOutcome? {
        guard loop.isCurrent else { return nil }
        try checkLength(count)
        guard core.senders.isFree else { return nil }
        guard let webSocket = core.webSocket else { throw core.error }
        return core.settled(send(webSocket))
    }

    private func checkLength(_ count: Int) throws(WebSocketError) {
        let most = core.messageBytesMax
        guard count <= most else { throw .messageTooLong(bytes: count, max: most) }
    }

    @inline(__always)
    private func settle(_ outcome: WriteOutcome) async throws(WebSocketError) {
        guard outcome != .accepted else { return }
        try await wait { $0.wait(outcome, $1) }
    }

    private func sendInTurn(_ message: Outgoing) async throws(WebSocketError) {
        try await wait { $0.send(message, $1) }
    }

    /// Waits for what the loop does: the task may go on on another thread, as those of most actors do.
    private func wait(
        _ start: @escaping @Sendable (AsyncWebSocketCore, SenderLine.Sender) -> Void
    ) async throws(WebSocketError) {
        let error = await cancellable {
            await withUnsafeContinuation { (sender: SenderLine.Sender) in
                let willRun = core.onLoop { start($0, sender) }
                if !willRun { sender.resume(returning: .closed(.lost(.shutdown))) }
            }
        }
        if let error { throw error }
    }

    /// Lets the cancellation of a task that waits close the WebSocket, unless its scope does.
    private func cancellable<Result: Sendable>(_ body: () async -> Result) async -> Result {
        if isScoped { return await body() }
        return await withTaskCancellationHandler {
            await body()
        } onCancel: { [core] in
            core.loop.execute { core.cancel() }
        }
    }

    // MARK: - Pinging

    /// Pings the peer and waits for its pong.
    ///
    /// Cancelling this wait alone leaves the WebSocket open.
    ///
    /// - Returns: The round trip's time.
    /// - Throws: ``WebSocketError``
    public func ping() async throws(WebSocketError) -> Duration {
        try await ping(PingTicket(nil))
    }

    /// Pings the peer with a payload of the caller's; otherwise as ``ping()``.
    ///
    /// - Parameter payload: 1 to 125 bytes (RFC 6455 §5.5), copied. Of pings with the same payload a
    ///   pong answers the first.
    /// - Returns: The round trip's time.
    /// - Throws: ``WebSocketError``
    public func ping(_ payload: RawSpan) async throws(WebSocketError) -> Duration {
        // An empty pong may be the answer to the heartbeat.
        precondition(
            (1...125).contains(payload.byteCount), "ping of \(payload.byteCount) bytes, not 1...125"
        )
        return try await ping(PingTicket(payload.withUnsafeBytes { Array($0) }))
    }

    private func ping(_ ticket: PingTicket) async throws(WebSocketError) -> Duration {
        let result = await withTaskCancellationHandler {
            await withUnsafeContinuation { (waiter: PingLine.Waiter) in
                let willRun = core.onLoop { ticket.start($0, waiter) }
                if !willRun { waiter.resume(returning: .failure(.closed(.lost(.shutdown)))) }
            }
        } onCancel: { [core] in
            core.loop.execute { ticket.cancel(core) }
        }
        return try result.get()
    }

    // MARK: - Ending

    /// Starts the closing handshake and waits until the WebSocket has ended, which the peer can
    /// delay for the configuration's `closeTimeout`.
    ///
    /// - Parameters:
    ///   - code: A code that may stand on the wire (RFC 6455 §7.4).
    ///   - reason: Cut at 123 bytes.
    /// - Returns: Why it ended; it may have ended before.
    @discardableResult
    public func close(
        _ code: CloseCode = .normal, reason: String = ""
    ) async -> WebSocketCloseReason {
        await ended { $0.close(code, reason) }
    }

    /// Ends the connection at once, without a closing handshake.
    public func abort() {
        core.onLoop { $0.webSocket?.abort() }
    }

    /// Waits until the WebSocket has ended.
    public func waitUntilClosed() async -> WebSocketCloseReason { await ended { _ in } }

    /// What the peer's close frame said beside its code, at most 123 bytes; empty where it said nothing, or none
    /// came yet.
    public var closeText: String {
        get async {
            await withUnsafeContinuation { (waiter: UnsafeContinuation<String, Never>) in
                let willRun = core.onLoop { waiter.resume(returning: $0.closeText) }
                if !willRun { waiter.resume(returning: "") }
            }
        }
    }

    private func ended(
        _ before: @escaping @Sendable (AsyncWebSocketCore) -> Void
    ) async -> WebSocketCloseReason {
        await withUnsafeContinuation {
            (waiter: UnsafeContinuation<WebSocketCloseReason, Never>) in
            let willRun = core.onLoop {
                before($0)
                $0.waitUntilClosed(waiter)
            }
            if !willRun { waiter.resume(returning: .lost(.shutdown)) }
        }
    }

    private static var currentTask: Int? { withUnsafeCurrentTask { $0?.hashValue } }

    /// Runs `body`, then closes the WebSocket: with 1000, or with 1011 where `body` throws. Where the
    /// task is cancelled it is closed with 1001 at once, and what waits throws
    /// ``WebSocketError/cancelled``.
    public func withLifetime<Result>(
        _ body: (AsyncWebSocket) async throws -> Result
    ) async rethrows -> Result {
        var scoped = self
        scoped.scope = Self.currentTask
        do {
            let result = try await withTaskCancellationHandler {
                try await body(scoped)
            } onCancel: { [core] in
                core.loop.execute { core.cancel() }
            }
            await close()
            return result
        } catch {
            await close(.internalError)
            throw error
        }
    }
}
