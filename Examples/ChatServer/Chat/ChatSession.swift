import Hub
import NetPoll
import WSFrame
import WSTransport

/// What the chat keeps of one client: its rate, and whether it has said hello in time.
final class ChatSession: SessionHandler {
    private static let helloTimeout = Duration.seconds(10)

    /// Whatever the client asks costs one.
    var bucket: TokenBucket
    private var timer: TimerID?
    /// Cleared when it ends: the session holds this handler.
    private var session: Session?

    init(limits: ChatLimits) {
        bucket = TokenBucket(perSecond: limits.messagesPerSecond, burst: limits.messagesBurst)
    }

    func began(_ session: Session) {
        self.session = session
        timer = session.loop.schedule(after: Self.helloTimeout, self)
    }

    func received(_ message: RawSpan, kind: MessageKind, from session: Session) {
        // Nothing is said to the chat without being asked of it or published.
        session.close(.policyViolation, reason: "no such message")
    }

    func ended(_ session: Session, reason: WebSocketCloseReason) {
        if let timer { session.loop.cancel(timer) }
        self.session = nil
    }
}

extension ChatSession: TimerTarget {
    /// By now a hello, or a resume token, has told who the client is.
    func timerFired(_ id: TimerID, on loop: EventLoop) {
        timer = nil
        guard let session, session.user == nil else { return }
        // Whoever was only slow may come again.
        session.close(.tryAgainLater, reason: "no hello")
    }
}
