import NetPoll

/// One connection's calls, of both sides, and what the rules make of frames (ttrpc 1.2 PROTOCOL.md;
/// this module's PROTOCOL.md).
///
/// Sees no socket and no clock; time enters as nanoseconds since any origin. Payloads are never
/// touched: the driver keeps what belongs to a call under the call's slot. After each input the
/// driver sends ``takeControl()`` before anything else.
///
///     extensions:  offered ──SETTINGS──▶ negotiated          outgoing call:
///                     │ first reply without                    waiting ──room──▶ open ──▶ over
///                     ▼                                           │ cancel, deadline, GOAWAY ▲
///                   plain                                         └──────────────────────────┘
struct ConnectionCore: ~Copyable {
    enum Extensions: Hashable, Sendable {
        /// Client: requests announce them. Server: nothing is known of the client.
        case offered
        /// The server has sent its settings, and has none of the client's yet.
        case answered
        case negotiated(PeerSettings)
        /// Plain ttrpc.
        case plain
    }

    let role: PeerRole
    let limits: CoreLimits
    var extensions: Extensions
    var outgoing = CallTable()
    var incoming = CallTable()
    var control: [ControlFrame] = []
    /// Messages that have begun to arrive.
    var partials = PartialMessages()
    /// Whether the message at hand came in pieces, which were counted.
    var isWhole = false

    // Outgoing calls.
    var nextID: UInt32
    var outgoingMax: Int
    var waitingHead: UInt32 = .max
    var waitingTail: UInt32 = .max
    var waitingCount = 0
    /// The peer's GOAWAY.
    var goneAway: GoAway?
    /// This side opens no more calls.
    var isClosing = false

    // Incoming calls.
    var lastIncoming: UInt32 = 0
    /// This side's GOAWAY, or that it takes no more calls of a plain peer.
    var isDraining = false
    /// Calls that came too late to be run, and were not counted elsewhere yet.
    var expiredOnArrival = 0
    /// What the peer is to be told of that, see ``tellDraining()``.
    private(set) var owed: GoAway?
    /// The last call that is taken when it drains.
    var lastAccepted: UInt32 = .max

    // Credit of the connection as a whole.
    var sendCredit = 0
    var receiveCredit = 0
    var consumed = 0
    /// The last stream that began before its settings were known, and is not counted; a client's.
    var lastUncounted: UInt32 = 0

    // Time.
    /// The earliest deadline that may be left; `.max`: none.
    var nextDeadline: Int64 = .max
    var lastReceived: Int64
    var pingSentAt: Int64?
    /// When a deadline passed of a call that was sent to a peer which cannot be pinged, the first since
    /// anything was heard.
    var unansweredSince: Int64?
    /// That went on for so long that a ping would have told that the connection is dead.
    private(set) var isUnresponsive = false

    init(role: PeerRole, limits: CoreLimits, now: Int64) {
        precondition(limits.outgoingMax > 0, "\(limits.outgoingMax) calls in flight")
        precondition(limits.waitingMax >= 0, "\(limits.waitingMax) waiting calls")
        self.role = role
        self.limits = limits
        extensions = limits.negotiates ? .offered : .plain
        nextID = role == .client ? 1 : 2
        outgoingMax = limits.outgoingMax
        receiveCredit = Int(limits.settings.connectionCredit)
        lastReceived = now
    }

    /// Whether requests say that extensions are known here.
    var announces: Bool { role == .client && extensions == .offered }

    /// The peer's settings, once extensions are negotiated.
    var peer: PeerSettings? {
        guard case .negotiated(let settings) = extensions else { return nil }
        return settings
    }

    /// Calls of this side that are sent and not over.
    var inFlight: Int { outgoing.count - waitingCount }

    /// Whether frames wait to be sent before all others.
    var hasControl: Bool { !control.isEmpty }

    /// The frames to be sent before all others.
    mutating func takeControl() -> [ControlFrame] {
        defer { control.removeAll(keepingCapacity: true) }
        return control
    }

    // MARK: - Draining and time

    /// This side takes no more calls; those that run are finished. The peer is told where it
    /// understands.
    mutating func drain(text: String = "") {
        guard !isDraining else { return }
        isDraining = true
        lastAccepted = lastIncoming
        oweGoAway(text)
    }

    /// It drains: a peer that understands is to be told.
    mutating func oweGoAway(_ text: String = "") {
        guard peer != nil else { return }
        owed = GoAway(lastAccepted: lastAccepted, code: .unavailable, text: text)
        tellDraining()
    }

    /// Tells the peer that it drains. A client does so once all its calls were sent: a server that was told
    /// ends the connection when it has answered what it has.
    mutating func tellDraining() {
        guard let goAway = owed, role == .server || !hasUnsent else { return }
        owed = nil
        control.append(.goAway(goAway))
    }

    /// Whether a call waits to be sent. O(slots).
    private var hasUnsent: Bool {
        guard waitingCount == 0 else { return true }
        var isFound = false
        outgoing.forEach { _, entry in isFound = isFound || entry.pointee.id == 0 }
        return isFound
    }

    /// Whether all calls of both sides are over, and no accepted one is arriving.
    var isIdle: Bool {
        outgoing.count == 0 && incoming.count == 0 && !partials.awaitsRequest
    }

    /// Sends a ping where it is quiet, and says when to ask again.
    mutating func tick(_ now: Int64) -> OnTick {
        guard let interval = limits.pingInterval?.inNanoseconds, peer != nil else {
            return .wait(until: .max)
        }
        if let sentAt = pingSentAt {
            let end = sentAt + limits.pingTimeout.inNanoseconds
            if lastReceived < sentAt { return now >= end ? .dead : .wait(until: end) }
            pingSentAt = nil
        }
        let due = lastReceived + interval
        guard now >= due else { return .wait(until: due) }
        pingSentAt = now
        control.append(.ping(UInt64(bitPattern: now)))
        return .wait(until: now + limits.pingTimeout.inNanoseconds)
    }

    /// Something arrived.
    @inline(__always)
    mutating func heard(_ now: Int64) { lastReceived = now }

    /// A call whose deadline has passed.
    struct Expired: Hashable, Sendable {
        let side: CallSide
        let slot: UInt32
        /// Outgoing: whether its request was sent. Its slot is free already.
        let wasSent: Bool
    }

    /// The calls whose deadlines have passed. Outgoing ones are over; incoming ones are answered, and
    /// their handlers to be cancelled. O(calls).
    mutating func takeExpired(_ now: Int64) -> [Expired] {
        guard now >= nextDeadline else { return [] }
        var expired: [Expired] = []
        var next = Int64.max
        for side in [CallSide.outgoing, .incoming] {
            func look(_ slot: UInt32, _ entry: UnsafeMutablePointer<CallEntry>) {
                if entry.pointee.deadline <= now {
                    entry.pointee.deadline = .max
                    guard !entry.pointee.flags.contains(.cancelled) else { return }
                    expired.append(Expired(side: side, slot: slot, wasSent: entry.pointee.id != 0))
                } else {
                    next = min(next, entry.pointee.deadline)
                }
            }
            if side == .outgoing { outgoing.forEach(look) } else { incoming.forEach(look) }
        }
        nextDeadline = next
        if peer == nil, expired.contains(where: { $0.side == .outgoing && $0.wasSent }) {
            noteUnanswered(now)
        }
        for call in expired {
            switch call.side {
            case .outgoing: _ = giveUp(call.slot, code: .deadlineExceeded)
            case .incoming:
                guard let id = answeredEarly(call.slot) else { continue }
                let error = RPCError(.deadlineExceeded, "the deadline passed")
                control.append(.refusal(stream: id, error))
            }
        }
        return expired
    }

    /// A deadline passed; there must have been one before, so that the peer was asked meanwhile.
    private mutating func noteUnanswered(_ now: Int64) {
        guard let interval = limits.pingInterval?.inNanoseconds else { return }
        guard let since = unansweredSince, lastReceived <= since else {
            unansweredSince = now
            return
        }
        isUnresponsive = now - since >= interval + limits.pingTimeout.inNanoseconds
    }

    mutating func note(deadline: Int64, of entry: UnsafeMutablePointer<CallEntry>) {
        entry.pointee.deadline = deadline
        if deadline < nextDeadline { nextDeadline = deadline }
    }
}
