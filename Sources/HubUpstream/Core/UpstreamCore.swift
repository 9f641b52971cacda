import ConnPool
import Hub
import NetPoll

/// Decides which event is told when; ``UpstreamEvents`` carries that out.
///
/// Sees no clock, no random source and nobody who is told. Each session has a lane, whose events are told
/// one after the other:
///
///     idle ──offered──▶ ready ──next──▶ telling ──settled──▶ ready, or idle where no event is left
///                         ▲                │
///                         │              failed
///                         │                ▼
///                         └───woken─── pausing
struct UpstreamCore<Session: Hashable & Sendable>: Sendable {
    /// What becomes of an event that happened.
    enum OnOffer: Hashable, Sendable {
        case queued
        case dropped
    }

    /// What follows when an event was told, or could not be.
    enum OnSettled: Hashable, Sendable {
        /// There may be a next event.
        case goOn
        /// The lane is to be woken so much later.
        case wake(after: Duration)
    }

    /// What is to be told.
    struct Ticket: Sendable {
        let session: Session
        let event: UpstreamEvent
    }

    private enum Stage: Hashable, Sendable {
        case idle
        case ready
        case telling
        case pausing
    }

    private struct Entry: Sendable {
        let event: UpstreamEvent
        let bytes: Int
        let since: Instant
    }

    private struct Lane: Sendable {
        var stage = Stage.idle
        /// The first of them is the one that is told.
        var entries: [Entry] = []
        var bytes = 0
        /// Of the last event, dropped or not.
        var number: UInt64 = 0
        /// No event follows.
        var isEnded = false
        var backoff: Backoff
    }

    private let limits: UpstreamConfiguration
    private var lanes: [Session: Lane] = [:]
    /// Lanes whose turn comes, the first from ``readyFrom`` on.
    private var ready: [Session] = []
    private var readyFrom = 0
    private(set) var counts = UpstreamSnapshot()

    init(_ limits: UpstreamConfiguration) {
        limits.check()
        self.limits = limits
    }

    var isEmpty: Bool { counts.waiting == 0 }

    /// Lanes there are; those of sessions that have ended go with their last event.
    var laneCount: Int { lanes.count }

    // MARK: - Events

    /// Something happened; the event gets its number here.
    mutating func offered(
        _ event: UpstreamEvent, of session: Session, at now: Instant
    ) -> OnOffer {
        var lane =
            lanes.removeValue(forKey: session)
            ?? Lane(backoff: Backoff(base: limits.backoffBase, cap: limits.backoffCap))
        defer { keep(lane, of: session) }
        var event = event
        lane.number += 1
        event.number = lane.number
        if case .disconnected = event.kind { lane.isEnded = true }
        let bytes = event.bytes
        guard hasRoom(for: event, bytes, lane) else {
            counts.dropped += 1
            return .dropped
        }
        lane.entries.append(Entry(event: event, bytes: bytes, since: now))
        lane.bytes += bytes
        counts.waiting += 1
        counts.waitingBytes += bytes
        if lane.stage == .idle { makeReady(&lane, session) }
        return .queued
    }

    /// Something happened that nobody is told of any more.
    mutating func passedOver() -> OnOffer {
        counts.dropped += 1
        return .dropped
    }

    private func hasRoom(for event: UpstreamEvent, _ bytes: Int, _ lane: Lane) -> Bool {
        guard case .message = event.kind else { return counts.waiting < limits.eventsMax }
        return counts.waiting < limits.eventsMax - limits.eventsMax / 4
            && counts.waitingBytes + bytes <= limits.bytesMax
            && lane.entries.count < limits.eventsPerSessionMax
            && lane.bytes + bytes <= limits.bytesPerSessionMax
    }

    /// The next event to be told, where there is one and not too many are.
    mutating func next() -> Ticket? {
        guard counts.inFlight < limits.inFlightMax, readyFrom < ready.count else { return nil }
        let session = ready[readyFrom]
        readyFrom += 1
        if readyFrom == ready.count || readyFrom >= 1_024 {
            ready.removeSubrange(..<readyFrom)
            readyFrom = 0
        }
        guard let head = lanes[session]?.entries.first else {
            preconditionFailure("a lane is ready and has no event")
        }
        lanes[session]?.stage = .telling
        counts.inFlight += 1
        return Ticket(session: session, event: head.event)
    }

    /// An event was told, or could not be.
    mutating func settled(
        _ session: Session, _ outcome: UpstreamOutcome, at now: Instant,
        using random: inout some RandomNumberGenerator
    ) -> OnSettled {
        // Where all was given up meanwhile nobody waits for it.
        guard lanes[session]?.stage == .telling, var lane = lanes.removeValue(forKey: session)
        else { return .goOn }
        defer { keep(lane, of: session) }
        counts.inFlight -= 1
        switch outcome {
        case .delivered:
            counts.delivered += 1
        case .refused:
            counts.refused += 1
        case .failed(let retryAfter):
            let wait = max(
                lane.backoff.failed(using: &random), min(retryAfter ?? .zero, limits.backoffCap))
            if now + wait - lane.entries[0].since <= limits.patience {
                counts.retries += 1
                lane.stage = .pausing
                return .wake(after: wait)
            }
            counts.abandoned += 1
        }
        let entry = lane.entries.removeFirst()
        counts.waiting -= 1
        counts.waitingBytes -= entry.bytes
        lane.bytes -= entry.bytes
        lane.backoff.reset()
        lane.stage = .idle
        if lane.entries.isEmpty {
            // Its memory goes, too: most lanes are empty most of the time.
            lane.entries = []
        } else {
            makeReady(&lane, session)
        }
        return .goOn
    }

    /// A lane has paused for as long as it was to.
    mutating func woken(_ session: Session) {
        guard var lane = lanes.removeValue(forKey: session) else { return }
        if lane.stage == .pausing { makeReady(&lane, session) }
        lanes[session] = lane
    }

    /// Gives up all that waits.
    mutating func abandoned() {
        counts.abandoned += UInt64(counts.waiting)
        (counts.waiting, counts.waitingBytes, counts.inFlight) = (0, 0, 0)
        lanes = [:]
        ready = []
        readyFrom = 0
    }

    // MARK: - Lanes

    private mutating func makeReady(_ lane: inout Lane, _ session: Session) {
        lane.stage = .ready
        ready.append(session)
    }

    private mutating func keep(_ lane: Lane, of session: Session) {
        lanes[session] = lane.isEnded && lane.entries.isEmpty ? nil : lane
    }
}
