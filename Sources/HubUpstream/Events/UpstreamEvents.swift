public import Hub
import HubHTTP
public import NetPoll
import Synchronization
public import WSTransport

/// Tells an application what happens to a hub's sessions: who connects, what they say, who goes.
///
/// ```swift
/// let application = RPCApplication(at: .host("app.internal", port: 4100), on: group.loops)
/// let events = UpstreamEvents(to: application, on: group.loops[0])
/// configuration.middleware.append(events)
/// ```
///
/// Each event is told at least once, or dropped and counted: what waits is bounded, and told again for
/// ``UpstreamConfiguration/patience`` at most. The events of a session are told in their order, one after
/// the other; those of different sessions beside each other. What waits is kept in memory, and lost with
/// the process. Any thread may use it.
public final class UpstreamEvents: HubMiddleware {
    private let sink: any UpstreamSink
    private let loop: EventLoop
    private let calendar: @Sendable () -> Timestamp
    private let state: Mutex<State>
    /// Sets the events of this process apart from those of others.
    private let mark: String
    private let lastID = Atomic<UInt64>(0)
    private let isPumpPosted = Atomic(false)

    private struct State {
        var core: UpstreamCore<SessionID>
        var tasks: [SessionID: Task<Void, Never>] = [:]
        var isEnded = false
    }

    /// - Parameters:
    ///   - sink: Who is told.
    ///   - loop: Where that happens; one of the hub's.
    ///   - configuration: Bounds and times.
    /// - Precondition: The configuration's values make sense.
    public init(
        to sink: any UpstreamSink, on loop: EventLoop,
        configuration: UpstreamConfiguration = .init()
    ) {
        self.sink = sink
        self.loop = loop
        calendar = configuration.calendar
        state = Mutex(State(core: UpstreamCore(configuration)))
        mark = String(UInt64.random(in: 0...UInt64.max), radix: 36)
    }

    /// What it holds and did so far.
    public var snapshot: UpstreamSnapshot { state.withLock { $0.core.counts } }

    // MARK: - What happens

    public func began(_ session: Session) { happened(.connected, to: session) }

    public func message(
        _ message: HubMessage, from session: Session, next: (HubMessage) -> Void
    ) {
        // The event says whose session it is.
        var said = message
        said.sender = nil
        happened(.message(said), to: session)
        next(message)
    }

    public func ended(_ session: Session, reason: WebSocketCloseReason) {
        happened(.disconnected(UpstreamEvent.Ending(reason)), to: session)
    }

    private func happened(_ kind: UpstreamEvent.Kind, to session: Session) {
        let number = lastID.wrappingAdd(1, ordering: .relaxed).newValue
        let event = UpstreamEvent(
            kind, id: "\(mark)-\(number)", number: 0, time: calendar(),
            session: "\(session.id)", user: session.user, device: session.device,
            address: session.remoteAddress.map { "\($0)" })
        let (id, now) = (session.id, session.loop.now)
        let outcome: UpstreamCore<SessionID>.OnOffer = state.withLock { state in
            state.isEnded
                ? state.core.passedOver() : state.core.offered(event, of: id, at: now)
        }
        if outcome == .queued { pumpSoon() }
    }

    // MARK: - Telling it

    private func pumpSoon() {
        guard !isPumpPosted.exchange(true, ordering: .acquiringAndReleasing) else { return }
        loop.execute { self.pump() }
    }

    private func pump() {
        isPumpPosted.store(false, ordering: .releasing)
        while let ticket = state.withLock({ $0.core.next() }) { tell(ticket) }
    }

    private func tell(_ ticket: UpstreamCore<SessionID>.Ticket) {
        let task = Task(executorPreference: loop) { [self] in
            let outcome = await sink.tell(ticket.event)
            loop.execute { self.settle(ticket.session, outcome) }
        }
        state.withLock { $0.tasks[ticket.session] = task }
    }

    private func settle(_ session: SessionID, _ outcome: UpstreamOutcome) {
        var random = loop.random
        let now = loop.now
        let decision = state.withLock { state in
            state.tasks[session] = nil
            return state.core.settled(session, outcome, at: now, using: &random)
        }
        if case .wake(let delay) = decision {
            loop.schedule(after: delay, LaneTimer { [weak self] in self?.wake(session) })
        }
        pump()
    }

    private func wake(_ session: SessionID) {
        state.withLock { $0.core.woken(session) }
        pump()
    }

    // MARK: - The end

    /// Waits until all is told that has happened, and gives up what is left after `deadline`.
    ///
    /// To be called when the hub is drained, whose sessions then have ended. What happens afterwards is
    /// dropped.
    public func drain(deadline: Duration = .seconds(5)) async {
        let end = loop.clock.now + deadline
        while !state.withLock({ $0.core.isEmpty }), loop.clock.now < end {
            do {
                try await loop.clock.sleep(for: .milliseconds(20))
            } catch {
                // The task was cancelled, or the loop shut down: nothing more is told.
                break
            }
        }
        let tasks = state.withLock { state in
            state.isEnded = true
            state.core.abandoned()
            defer { state.tasks = [:] }
            return Array(state.tasks.values)
        }
        for task in tasks { task.cancel() }
    }
}

/// Wakes a lane when its pause is over.
private final class LaneTimer: TimerTarget {
    private let body: () -> Void

    init(_ body: @escaping () -> Void) {
        self.body = body
    }

    func timerFired(_ id: TimerID, on loop: EventLoop) { body() }
}
