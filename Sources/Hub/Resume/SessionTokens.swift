import NetPoll

/// When a session gets its next resume token.
///
/// Loop-owned. One timer stands for changes that gather, and then for the token's age.
final class SessionTokens: TimerTarget {
    private unowned let session: Session
    private let policy: ResumePolicy
    private var timer = TimerID.none
    private var isStale = false

    init(session: Session, policy: ResumePolicy) {
        self.session = session
        self.policy = policy
    }

    /// What the last token says is no longer all.
    func changed() {
        guard !isStale else { return }
        isStale = true
        arm(after: policy.gathering)
    }

    /// A token was given.
    func given() {
        isStale = false
        arm(after: policy.lifetime / 2)
    }

    func stop() {
        if timer != .none { session.loop.cancel(timer) }
        timer = .none
    }

    private func arm(after delay: Duration) {
        stop()
        timer = session.loop.schedule(after: delay, self)
    }

    func timerFired(_ id: TimerID, on loop: EventLoop) {
        timer = .none
        session.shard.giveToken(to: session)
    }
}

extension Session {
    /// Gives it no token any more.
    func stopTokens() {
        tokens?.stop()
        tokens = nil
    }
}
