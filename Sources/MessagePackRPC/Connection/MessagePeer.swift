import MessagePack
import NetPoll

/// One side of a connection: calls that wait for answers, and requests that are served.
///
///     received ▶ MessageScanner ▶ response ▶ PendingReply
///                               ▶ request, notification ▶ handlers ▶ response
///
/// `@unchecked Sendable`: everything but constants is touched on the connection's loop only.
final class MessagePeer: ConnectionHandler, @unchecked Sendable {
    /// The most memory that is kept for the next message to be sent.
    private static let keptBytesMax = 16 << 10

    let loop: EventLoop
    let configuration: MessagePackRPCConfiguration
    let handlers: MessagePackRPCHandlers
    let connection: Connection

    private var scanner: MessageScanner
    /// The beginning of a message that is not whole yet.
    private var kept: [UInt8] = []
    private var calls: CallSlots<PendingReply>
    var tasks: [UInt64: Task<Void, Never>] = [:]
    var nextTask: UInt64 = 0
    private var writer = MessagePackWriter()
    private(set) var isClosed = false
    /// Takes no more requests, and ends when those that run are answered.
    private(set) var isDraining = false
    /// The peer sends no more.
    private var isDeaf = false
    private var violation: MessageViolation?
    private var onClose: ((MessagePeer) -> Void)?

    init(
        _ connection: Connection, _ configuration: MessagePackRPCConfiguration,
        _ handlers: MessagePackRPCHandlers, onClose: ((MessagePeer) -> Void)? = nil
    ) {
        self.connection = connection
        self.configuration = configuration
        self.handlers = handlers
        self.onClose = onClose
        loop = connection.loop
        calls = CallSlots(callsMax: configuration.callsInFlightMax)
        scanner = MessageScanner(
            messageBytesMax: configuration.messageBytesMax, limits: configuration.values)
    }

    /// Runs `body` on the loop, at once where this is it.
    ///
    /// - Returns: Whether it will run; it will not on a loop that was shut down.
    func onLoop(_ body: @escaping @Sendable (MessagePeer) -> Void) -> Bool {
        if loop.isCurrent {
            body(self)
            return true
        }
        return loop.execute { body(self) }
    }

    // MARK: - Calls of this side

    func submit(_ call: PendingReply) {
        guard call.submitted() else { return }
        guard !isClosed, !isDeaf else {
            return call.end(.failure(.lost(isDeaf ? .peer : nil, mayHaveRun: false)))
        }
        guard let id = calls.open(call) else {
            let reason = MessagePackRPCError.Reason.tooManyCalls(limit: calls.callsMax)
            return call.end(.failure(MessagePackRPCError(reason, mayHaveRun: false)))
        }
        writer.removeAll()
        writer.writeArrayHead(count: 4)
        writer.write(0)
        writer.write(UInt64(id))
        let message = call.message
        writer.writeEncoded(message.span.bytes)
        if let error = send() {
            _ = calls.take(id)
            return call.end(.failure(error))
        }
        call.sent(id)
    }

    func notify(_ message: [UInt8]) -> MessagePackRPCError? {
        guard !isClosed else { return .lost(nil, mayHaveRun: false) }
        writer.removeAll()
        writer.writeArrayHead(count: 3)
        writer.write(2)
        writer.writeEncoded(message.span.bytes)
        return send()
    }

    func cancel(_ call: PendingReply) {
        if call.cancelled() { giveUp(call, .cancelled) }
    }

    func expire(_ call: PendingReply) { giveUp(call, .deadlineExceeded) }

    private func giveUp(_ call: PendingReply, _ reason: MessagePackRPCError.Reason) {
        guard !call.isOver, let id = call.giveUp(reason) else { return }
        _ = calls.take(id)
        closeIfDrained()
    }

    // MARK: - Answers of this side

    func answer(_ id: UInt32, _ outcome: Result<[UInt8], MessagePackRPCFault>) {
        guard !isClosed else { return }
        writer.removeAll()
        writer.writeArrayHead(count: 4)
        writer.write(1)
        writer.write(UInt64(id))
        switch outcome {
        case .success(let result):
            writer.writeNull()
            writer.writeEncoded(result.span.bytes)
        case .failure(let fault):
            writer.writeEncoded(fault.encoded.span.bytes)
            writer.writeNull()
        }
        guard writer.bytes.count <= configuration.messageBytesMax else {
            let text = "an answer of \(writer.bytes.count) bytes exceeds"
            // The limit leaves room for this.
            let limit = configuration.messageBytesMax
            return answer(id, .failure(MessagePackRPCFault("\(text) \(limit)")))
        }
        // An answer that nobody can be given is a caller that waits for ever.
        if send() != nil { connection.abort() }
    }

    /// Sends what the writer holds; gives the error where nothing of it was sent.
    private func send() -> MessagePackRPCError? {
        let bytes = writer.bytes
        defer { if writer.bytes.capacity > Self.keptBytesMax { writer = MessagePackWriter() } }
        guard bytes.count <= configuration.messageBytesMax else {
            let limit = configuration.messageBytesMax
            return MessagePackRPCError(
                .oversizedMessage(bytes: bytes.count, limit: limit), mayHaveRun: false)
        }
        switch connection.write(bytes.span.bytes) {
        case .accepted, .aboveHighWatermark: return nil
        case .refused: return MessagePackRPCError(.sendQueueFull, mayHaveRun: false)
        case .closed: return .lost(nil, mayHaveRun: false)
        }
    }

    // MARK: - What the peer sends

    /// The memory of what is not whole yet, and of the message that was sent last.
    var heldBytes: Int { kept.capacity + writer.bytes.capacity }

    func received(_ bytes: inout MutableRawSpan, on connection: Connection) {
        guard !kept.isEmpty else {
            let input = bytes.bytes
            let used = receive(input)
            if !isClosed, used < input.byteCount {
                input.extracting(used..<input.byteCount).withUnsafeBytes {
                    kept.append(contentsOf: $0)
                }
            }
            return
        }
        // Taken out, because a handler that is called may come back here.
        var input = kept
        kept = []
        bytes.bytes.withUnsafeBytes { input.append(contentsOf: $0) }
        let used = receive(input.span.bytes)
        guard !isClosed else { return }
        // A long message's memory goes with it.
        kept = used == 0 ? input : Array(input[used...])
    }

    /// Takes every whole message of `input`; gives how many bytes they were.
    private func receive(_ input: RawSpan) -> Int {
        var cursor = 0
        do throws(MessageViolation) {
            while connection.isOpen, let message = try scanner.next(in: input, at: &cursor) {
                switch message {
                case .request(let id, let method, let parameters):
                    serve(id, input, method, parameters)
                case .notification(let method, let parameters):
                    serveNotification(input, method, parameters)
                case .response(let id, let error, let result):
                    answered(id, error.map { input.bytes(in: $0) }, input.bytes(in: result))
                }
            }
        } catch {
            violation = error
            connection.abort()
        }
        closeIfDrained()
        return cursor
    }

    private func answered(_ id: UInt32, _ error: [UInt8]?, _ result: [UInt8]) {
        // One that was given up is answered all the same.
        guard let call = calls.take(id) else { return }
        if let error {
            let fault = MessagePackRPCFault(encoded: error)
            call.end(.failure(MessagePackRPCError(.answered(fault), mayHaveRun: true)))
        } else {
            call.end(.success(result))
        }
    }

    // MARK: - The end

    func receivedEnd(on connection: Connection) {
        // No answer can come any more; those that the peer waits for still go out.
        isDeaf = true
        loseCalls(.peer)
        drain()
    }

    /// Serves no more requests; ends the connection when those that run are answered.
    func drain() {
        isDraining = true
        closeIfDrained()
    }

    func closeIfDrained() {
        guard isDraining, tasks.isEmpty, calls.count == 0, !isClosed else { return }
        connection.close()
    }

    func closed(_ connection: Connection, reason: CloseReason) {
        isClosed = true
        kept = []
        loseCalls(reason)
        for task in tasks.values { task.cancel() }
        tasks = [:]
        onClose?(self)
        onClose = nil
    }

    private func loseCalls(_ reason: CloseReason) {
        let error =
            violation.map {
                MessagePackRPCError(.protocolViolation("\($0)"), mayHaveRun: true)
            } ?? .lost(reason, mayHaveRun: true)
        for call in calls.takeAll() { call.end(.failure(error)) }
    }
}

extension RawSpan {
    /// A copy of a part.
    func bytes(in range: Range<Int>) -> [UInt8] {
        extracting(range).withUnsafeBytes { Array($0) }
    }
}
