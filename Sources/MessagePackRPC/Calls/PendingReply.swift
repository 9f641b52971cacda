import NetPoll

/// A call of this side's, until its answer.
///
/// `@unchecked Sendable`: the caller's task writes it before it is submitted; from then on it is the
/// loop's alone.
final class PendingReply: TimerTarget, @unchecked Sendable {
    typealias Outcome = Result<[UInt8], MessagePackRPCError>

    /// The method and the parameters, encoded.
    let message: [UInt8]
    let timeout: Duration?
    private let peer: MessagePeer
    private var continuation: CheckedContinuation<Outcome, Never>?
    private(set) var isOver = false
    private var wasSubmitted = false
    private var wasCancelledEarly = false
    private var id: UInt32?
    private var timer: TimerID?

    init(_ message: [UInt8], timeout: Duration?, on peer: MessagePeer) {
        self.message = message
        self.timeout = timeout
        self.peer = peer
    }

    /// Waits for the answer; the caller's task.
    func run() async -> Outcome {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                self.continuation = continuation
                let willRun = peer.onLoop { $0.submit(self) }
                if !willRun { end(.failure(.lost(nil, mayHaveRun: false))) }
            }
        } onCancel: {
            // A loop that was shut down has ended its calls.
            peer.loop.execute { [self] in peer.cancel(self) }
        }
    }

    // MARK: - On the loop

    /// It came to the loop; whether its task still waits for it.
    func submitted() -> Bool {
        wasSubmitted = true
        if wasCancelledEarly { _ = giveUp(.cancelled) }
        return !isOver
    }

    /// Its task was cancelled; whether there is something to give up already. The task may still be
    /// on its way to wait, so that it is not woken before it is here.
    func cancelled() -> Bool {
        if !wasSubmitted { wasCancelledEarly = true }
        return wasSubmitted && !isOver
    }

    /// It was sent, and waits from now on.
    func sent(_ id: UInt32) {
        self.id = id
        if let timeout { timer = peer.loop.schedule(after: timeout, self) }
    }

    /// Ends it without an answer; gives the id it was sent with, whose answer nobody will want.
    func giveUp(_ reason: MessagePackRPCError.Reason) -> UInt32? {
        let id = id
        end(.failure(MessagePackRPCError(reason, mayHaveRun: id != nil)))
        return id
    }

    func end(_ outcome: Outcome) {
        guard !isOver else { return }
        isOver = true
        if let timer { peer.loop.cancel(timer) }
        timer = nil
        continuation?.resume(returning: outcome)
        continuation = nil
    }

    func timerFired(_ id: TimerID, on loop: EventLoop) {
        timer = nil
        peer.expire(self)
    }
}
