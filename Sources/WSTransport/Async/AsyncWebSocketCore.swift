import NetPoll
import WSFrame

/// A WebSocket's handler that hands its events to tasks.
///
///     reading ──messages beyond the bound──▶ paused ──all taken──▶ reading
///        │                                      │
///        └──────────── closed ◀─────────────────┘
///
/// The first message of a read goes straight to a task that waits; the others wait here, and the
/// task takes them without suspending once the read is over.
///
/// `@unchecked Sendable`: all but constants is touched on ``loop`` only; ``AsyncWebSocket`` goes
/// there first.
final class AsyncWebSocketCore: WebSocketHandler, @unchecked Sendable {
    /// What a task that asked for a message is given.
    enum Reading: Sendable {
        case message(WebSocketMessage)
        case end
        case failed(WebSocketError)
    }

    typealias Reader = UnsafeContinuation<Reading, Never>
    typealias EndWaiter = UnsafeContinuation<WebSocketCloseReason, Never>

    let loop: EventLoop
    /// What the client asked for; `nil` on the client's side.
    let request: HTTPRequest?
    private let onOpen: (AsyncWebSocketCore) -> Void

    /// Until the WebSocket ended.
    private(set) var webSocket: WebSocketConnection?
    private(set) var identity: (id: ConnectionID, remoteAddress: SocketAddress)?
    var subprotocol: String?
    /// The server's answer; `nil` on the server's side.
    var opening: WebSocketOpening?
    private(set) var reason: WebSocketCloseReason?
    /// What the peer's close frame said.
    private(set) var closeText = ""
    private(set) var isCancelled = false

    private var reader: Reader?
    private var messages = MessageQueue()
    private var isPaused = false
    var waitingBytes: Int { messages.bytes }
    var senders = SenderLine()
    var pings = PingLine()
    private var endWaiters: [EndWaiter] = []

    init(
        on loop: EventLoop, request: HTTPRequest? = nil, subprotocol: String? = nil,
        onOpen: @escaping (AsyncWebSocketCore) -> Void = { _ in }
    ) {
        self.loop = loop
        self.request = request
        self.subprotocol = subprotocol
        self.onOpen = onOpen
    }

    /// The WebSocket is about to open, or did.
    func attach(_ webSocket: WebSocketConnection) {
        guard identity == nil else { return }
        self.webSocket = webSocket
        identity = (webSocket.id, webSocket.remoteAddress)
        webSocket.shard.servesTasks = true
    }

    // MARK: - Events

    func opened(_ connection: WebSocketConnection) {
        attach(connection)
        onOpen(self)
    }

    func received(_ message: RawSpan, kind: MessageKind, on connection: WebSocketConnection) {
        // The pointer is used within the call only; the bytes are copied.
        message.withUnsafeBytes { messages.push($0, kind: kind, on: loop) }
        if let reader, let message = messages.pop() {
            self.reader = nil
            reader.resume(returning: .message(message))
        }
        // A read may inflate to a thousand times its bytes: its rest stays as it came where the task
        // does not keep up.
        if connection.compression != nil,
            messages.bytes >= connection.connection.limits.inboundBytesMax
        {
            readEnded()
        }
    }

    /// All messages of a read are here, or too many.
    func readEnded() {
        // The task runs here as a handler would: what it sends leaves with the others' writes, and
        // its buffer is free again for the next connection's messages.
        loop.runReadyTasks()
        guard let webSocket, !isPaused,
            messages.bytes >= webSocket.connection.limits.inboundBytesMax,
            // Once this side closed, the peer's answer is awaited behind what nobody is given.
            webSocket.isOpen
        else { return }
        isPaused = true
        webSocket.pauseReading()
    }

    func receivedPong(
        _ payload: RawSpan, roundTrip: Duration?, on connection: WebSocketConnection
    ) {
        pings.answered(payload, at: loop.now)
    }

    func receivedClose(
        _ code: CloseCode?, reason: RawSpan, on connection: WebSocketConnection
    ) {
        // The pointer is used within the call only.
        closeText = reason.withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
    }

    func drained(_ connection: WebSocketConnection) { resumeSenders() }

    func closed(_ connection: WebSocketConnection, reason: WebSocketCloseReason) {
        self.reason = reason
        webSocket = nil
        resumeReader()
        senders.end(error)
        pings.failAll(error)
        for waiter in endWaiters { waiter.resume(returning: reason) }
        endWaiters = []
    }

    // MARK: - Reading

    /// What waits, or why nothing will come; `nil` where the task has to wait.
    @inline(__always)
    func takeReading() -> Reading? {
        if let message = messages.pop() {
            if isPaused, messages.bytes == 0 { resumeReading() }
            return .message(message)
        }
        return readingAtEnd
    }

    private var readingAtEnd: Reading? {
        if isCancelled { return .failed(.cancelled) }
        switch reason {
        case nil: return nil
        case .peer(nil), .peer(.normal), .peer(.goingAway), .local: return .end
        case .some(let reason): return .failed(.closed(reason))
        }
    }

    func wait(_ reader: Reader) {
        if let reading = takeReading() {
            reader.resume(returning: reading)
            return
        }
        precondition(self.reader == nil, "two tasks read from one WebSocket at once")
        self.reader = reader
    }

    private func resumeReader() {
        guard let reader, let reading = readingAtEnd else { return }
        self.reader = nil
        reader.resume(returning: reading)
    }

    private func resumeReading() {
        isPaused = false
        webSocket?.resumeReading()
    }

    // MARK: - Ending

    /// What a send or ping is told that comes too late.
    var error: WebSocketError {
        // Before the transport ends, what will be told then.
        isCancelled ? .cancelled : .closed(reason ?? webSocket?.ending ?? .local(.normal))
    }

    func close(_ code: CloseCode, _ reason: String) {
        webSocket?.close(code, reason: reason)
    }

    /// The task that owns the WebSocket was cancelled.
    func cancel() {
        guard reason == nil, !isCancelled else { return }
        isCancelled = true
        messages = MessageQueue()
        close(.goingAway, "")
        resumeReader()
        senders.end(.cancelled)
        pings.failAll(.cancelled)
    }

    func waitUntilClosed(_ waiter: EndWaiter) {
        if let reason { waiter.resume(returning: reason) } else { endWaiters.append(waiter) }
    }

    /// Does `body` on the loop: at once where the caller is there, soon otherwise.
    ///
    /// - Returns: Whether it is or will be done: `false` once the loop was shut down.
    @discardableResult
    func onLoop(_ body: @escaping @Sendable (AsyncWebSocketCore) -> Void) -> Bool {
        guard loop.isCurrent else { return loop.execute { body(self) } }
        body(self)
        return true
    }
}
