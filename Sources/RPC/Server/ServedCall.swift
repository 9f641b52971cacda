import NetPoll

/// A call of the peer's that an async handler serves, with the task that runs it.
///
/// Both are used for one call after another: a call that ends parks its task until the loop hands
/// it the next one, so that serving allocates nothing in steady state: for 64 calls at a time of a kind
/// (``PayloadWriter/grownMax``) with messages of up to 16 KiB, and for 1,024
/// (``ServedCallShelf/idleMax``) with messages of up to 512 bytes (``PayloadWriter/trimmedBytes``).
/// A task that was cancelled serves no other call.
///
/// `@unchecked Sendable`: the loop writes it before the task is resumed and after it is parked; in
/// between it is the task's, but for ``task``, which the loop alone uses.
final class ServedCall: @unchecked Sendable {
    let execution: MethodEntry.Execution
    let mailbox: LoopMailbox

    // Unchecked as ``PeerConnection``'s: each is one short access.
    @exclusivity(unchecked) var peer: PeerConnection?
    var slot: UInt32 = 0
    @exclusivity(unchecked) var entry: MethodEntry?
    /// The frame's data, and where in them the payload is.
    @exclusivity(unchecked) var data = RequestBytes()
    @exclusivity(unchecked) var envelope: RequestEnvelope?
    /// What an interceptor made of the request's metadata.
    @exclusivity(unchecked) var metadata: RPCMetadata?
    /// How many calls it has served, this one included.
    var number: UInt64 = 0
    /// When the request came; nanoseconds.
    var startedAt: Int64 = 0
    /// Nanoseconds; `.max`: none.
    var deadline = Int64.max
    /// When the gate let it in, where that counts it.
    var admittedAt: Int64?
    /// Whether nobody waited for it any more when its turn came.
    private(set) var wasShed = false

    @exclusivity(unchecked) var reply = PayloadWriter()
    /// Of a call that streams.
    @exclusivity(unchecked) var stream: CallStream?
    @exclusivity(unchecked) var failure: RPCError?

    /// Whether the loop cancelled ``task``.
    private(set) var isCancelled = false
    private var task: Task<Void, Never>?
    @exclusivity(unchecked) private var parked: UnsafeContinuation<Bool, Never>?

    init(_ execution: MethodEntry.Execution, _ mailbox: LoopMailbox) {
        self.execution = execution
        self.mailbox = mailbox
    }

    // MARK: - On the loop

    /// Runs the handler of the call it holds.
    func start() {
        if let parked {
            self.parked = nil
            parked.resume(returning: true)
            return
        }
        switch execution {
        case .loop: task = Task.detached(executorPreference: mailbox.loop) { await self.serve() }
        case .pool, .inline:
            task = Task.detached(executorPreference: BurstExecutor.shared) { await self.serve() }
        }
    }

    func cancel() {
        isCancelled = true
        task?.cancel()
    }

    /// Forgets the call; whether it may take another.
    func reset() -> Bool {
        peer = nil
        entry = nil
        stream = nil
        metadata = nil
        wasShed = false
        RequestBytes.renew(&data)
        reply.reset()
        failure = nil
        return !isCancelled
    }

    /// Gives memory back that few messages need.
    func trim() {
        data.trim(to: PayloadWriter.trimmedBytes)
        reply.reset(keeping: PayloadWriter.trimmedBytes)
    }

    /// Ends the task.
    func retire() {
        parked?.resume(returning: false)
        parked = nil
        task = nil
    }

    // MARK: - In the task

    private func serve() async {
        repeat {
            await runHandler()
        } while await park()
    }

    private func park() async -> Bool {
        await withUnsafeContinuation { continuation in
            parked = continuation
            mailbox.finished(self)
        }
    }

    private func runHandler() async {
        do {
            guard let entry else { preconditionFailure("a call without a method") }
            // It waited for its turn until nobody wanted it any more.
            guard !Task.isCancelled else {
                wasShed = true
                throw CancellationError()
            }
            guard deadline != .max else { return try await entry.run(self) }
            let instant = Instant(nanoseconds: deadline)
            try await RPCDeadline.$current.withValue(instant) { try await entry.run(self) }
        } catch {
            failure = RPCError(ofHandler: error)
        }
    }

    /// Lends the request's bytes.
    func withRequestPayload<Result>(
        _ body: (RawSpan) throws -> Result
    ) rethrows -> Result {
        try data.withSpan { try body($0.extracting(envelope?.payload ?? 0..<0)) }
    }

    func decodeRequest<Request: RPCMessage>(_ type: Request.Type) throws -> Request {
        do {
            return try withRequestPayload { try Request(decoding: $0) }
        } catch {
            throw RPCError(.invalidArgument, "the request cannot be decoded: \(error)")
        }
    }

    var context: RPCContext {
        guard let peer else { preconditionFailure("a call without a connection") }
        return RPCContext(
            metadata: metadata ?? envelope.map { RPCMetadata($0, of: data) } ?? [:],
            deadline: deadline == .max ? nil : Instant(nanoseconds: deadline),
            connection: RPCConnection(peer))
    }
}

extension RPCError {
    /// What the caller is told of an error that a handler threw.
    init(ofHandler error: any Error) {
        if let error = error as? RPCError {
            self = error
        } else if error is CancellationError {
            self.init(.cancelled, "the call was cancelled")
        } else if let error = error as? any RPCTypedError {
            self.init(error)
        } else {
            // The text of other errors may hold what is not for the caller's eyes.
            self.init(.unknown, "the handler failed")
        }
    }
}
