import NetPoll
import Synchronization

/// A message on its way to many sessions or inboxes, no faster than so many a second; see
/// ``HubServer/campaign(_:to:rate:)`` and
/// ``HubServer/campaign(_:toInboxesOf:rate:idempotencyKey:)``.
///
/// Any thread may ask and steer it. It goes on without being held.
public final class Campaign: Sendable {
    /// Where it stands.
    public enum State: Hashable, Sendable {
        /// It goes on.
        case running
        /// It waits for ``Campaign/resume()``.
        case paused
        /// All that were there have got it.
        case finished
        /// It was stopped before that.
        case cancelled
    }

    /// How far it has come.
    public struct Progress: Hashable, Sendable {
        /// Where it stands.
        public var state = State.running
        /// Sessions or inboxes that it is for.
        public var total = 0
        /// Sessions that it was sent to, those among them that had ended; inboxes that have answered.
        public var sent = 0
        /// Sessions of ``sent`` that had ended before their turn; inboxes that had no room, or whose
        /// store failed.
        public var missed = 0

        /// Creates the progress of a campaign that has just begun.
        public init() {}
    }

    /// What gets the message.
    enum Aim: Sendable {
        case session(SessionID)
        case inbox(of: String)
    }

    private struct Course {
        var progress = Progress()
        var rate: Int
        var waiting: [Aim] = []
        /// Inboxes that have not answered yet, and sessions that were not found or missed yet.
        var unanswered = 0
        /// Parts of a message that the rate has allowed and that were not sent.
        var allowance = 0.0
        var lastStep: Instant?
        var whenDone: [CheckedContinuation<Progress, Never>] = []

        /// Whether all that was to be sent was, and no session and no inbox is waited for.
        var isAnswered: Bool {
            waiting.isEmpty && unanswered == 0 && progress.sent == progress.total
        }

        /// Ends it, and gives who is to be told.
        mutating func end(_ state: State) -> Ended {
            switch progress.state {
            case .finished, .cancelled: break
            case .running, .paused: progress.state = state
            }
            waiting = []
            defer { whenDone = [] }
            return Ended(waiting: whenDone, progress: progress)
        }
    }

    private struct Ended {
        let waiting: [CheckedContinuation<Progress, Never>]
        let progress: Progress

        func tell() {
            for continuation in waiting { continuation.resume(returning: progress) }
        }
    }

    /// How often it sends its share.
    private static let step = Duration.milliseconds(20)
    /// The share that it sends at once, at most.
    private static let burst = Duration.milliseconds(100)
    /// What it makes up for, at most, where its loop was held up.
    private static let madeUpMax = Duration.seconds(1)

    private let hub: HubServer
    private let message: HubMessage
    private let envelope: SharedEnvelope
    /// For how long it is known who has a message of a campaign in the inbox.
    static let idempotencyWindow = Duration.seconds(24 * 3_600)

    private let idempotencyKey: String?
    private let loop: EventLoop
    private let course: Mutex<Course>

    init(
        hub: HubServer, message: HubMessage, rate: Int, idempotencyKey: String? = nil,
        on loop: EventLoop
    ) {
        precondition(rate > 0, "a rate of \(rate) a second")
        self.hub = hub
        self.message = message
        self.idempotencyKey = idempotencyKey
        self.loop = loop
        envelope = SharedEnvelope(.message(message), protocols: hub.configuration.protocols)
        course = Mutex(Course(rate: rate))
    }

    /// How far it has come.
    public var progress: Progress { course.withLock { $0.progress } }

    /// Messages a second; may be changed at any time.
    ///
    /// Where its loop was held up, what it is behind, a second at most, follows at up to twice the rate,
    /// never more than a tenth of a second's messages at once.
    public var rate: Int {
        get { course.withLock { $0.rate } }
        set {
            precondition(newValue > 0, "a rate of \(newValue) a second")
            course.withLock { $0.rate = newValue }
        }
    }

    /// Stops sending until ``resume()``.
    public func pause() {
        course.withLock { course in
            guard course.progress.state == .running else { return }
            course.progress.state = .paused
            course.lastStep = nil
        }
    }

    /// Goes on sending.
    public func resume() {
        course.withLock { course in
            guard course.progress.state == .paused else { return }
            course.progress.state = .running
        }
    }

    /// Stops for good; who has not got it does not get it. The end of the hub's loops does so, too.
    public func cancel() { end(.cancelled) }

    /// Waits until it is finished or cancelled.
    ///
    /// - Returns: How far it came.
    public func finished() async -> Progress {
        await withCheckedContinuation { continuation in
            let progress = course.withLock { course -> Progress? in
                switch course.progress.state {
                case .finished, .cancelled: return course.progress
                case .running, .paused:
                    course.whenDone.append(continuation)
                    return nil
                }
            }
            if let progress { continuation.resume(returning: progress) }
        }
    }

    /// Begins to send to these.
    func begin(_ aims: [Aim]) {
        course.withLock { course in
            // Taken from the end.
            course.waiting = aims.reversed()
            course.progress.total = aims.count
        }
        if aims.isEmpty { end(.finished) } else { schedule() }
    }

    private func schedule() {
        let isTaken = loop.execute { self.loop.schedule(after: Self.step, CampaignStep(self)) }
        if !isTaken { end(.cancelled) }
    }

    fileprivate func advance(at now: Instant) {
        let (next, isOver) = course.withLock { course -> ([Aim], Bool) in
            switch course.progress.state {
            case .finished, .cancelled: return ([], true)
            case .paused: return ([], false)
            case .running: break
            }
            let elapsed = course.lastStep.map { now - $0 } ?? Self.step
            course.lastStep = now
            let rate = Double(course.rate)
            course.allowance = min(
                course.allowance + rate * (elapsed / .seconds(1)),
                1 + rate * (Self.madeUpMax / .seconds(1)))
            let share = rate * (min(max(elapsed, Self.step * 2), Self.burst) / .seconds(1))
            let count = min(
                Int(course.allowance), Int(share.rounded(.up)), course.waiting.count)
            course.allowance -= Double(count)
            let next = Array(course.waiting.suffix(count).reversed())
            course.waiting.removeLast(count)
            let inboxes = next.count { if case .inbox = $0 { true } else { false } }
            course.unanswered += count
            course.progress.sent += count - inboxes
            return (next, course.waiting.isEmpty)
        }
        for aim in next {
            switch aim {
            case .session(let id): send(to: id)
            case .inbox(let user): deposit(for: user)
            }
        }
        guard isOver else { return schedule() }
        note { _ in }
    }

    private func send(to id: SessionID) {
        hub.withSessionIfAny(id) { session in
            if let session, let frame = self.envelope.frame(for: session.protocolIndex) {
                session.send(frame)
            }
            self.note { course in
                course.unanswered -= 1
                if session == nil { course.progress.missed += 1 }
            }
        }
    }

    private func deposit(for user: String) {
        hub.deposit(
            message, for: user, idempotencyKey: idempotencyKey, timeToLive: nil,
            window: Self.idempotencyWindow
        ) { result in
            self.note { course in
                course.unanswered -= 1
                course.progress.sent += 1
                switch result {
                case .success(.stored), .success(.duplicate): break
                case .success(.refused), .failure: course.progress.missed += 1
                }
            }
        }
    }

    /// Notes what became of it, and ends it where that was all.
    private func note(_ body: (inout Course) -> Void) {
        let ended = course.withLock { course -> Ended? in
            body(&course)
            return course.isAnswered ? course.end(.finished) : nil
        }
        ended?.tell()
    }

    private func end(_ state: State) {
        course.withLock { $0.end(state) }.tell()
    }
}

private final class CampaignStep: AwaitedTimerTarget {
    private let campaign: Campaign

    init(_ campaign: Campaign) {
        self.campaign = campaign
    }

    func timerFired(_ id: TimerID, on loop: EventLoop) {
        campaign.advance(at: loop.now)
    }

    func timerDropped() { campaign.cancel() }
}
