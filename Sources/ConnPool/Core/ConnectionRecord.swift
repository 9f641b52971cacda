internal import NetPoll

/// What the core knows of one connection.
struct ConnectionRecord: Sendable {
    /// Where a connection stands.
    ///
    ///     unused ──▶ dialling ──established──▶ ready ◀──probed──▶ probing
    ///       ▲            │                       │                   │
    ///       └── failed ──┘                       ▼                   ▼
    ///       ▲                                 closing ◀──────────────┘
    ///       └────────────── closed ──────────────┘
    enum Phase: Hashable, Sendable {
        case unused
        /// A dial is under way until ``ConnectionRecord/due``.
        case dialling
        /// A dial that nobody needs was told to stop, and has not ended.
        case abandoned
        /// Leased, idle or both in part.
        case ready
        /// A keepalive is under way until ``ConnectionRecord/due``; nobody gets it.
        case probing
        /// To be closed until ``ConnectionRecord/due``.
        case closing
    }

    /// The list a connection stands in.
    enum Membership: Hashable, Sendable {
        case none
        /// Of those that are being dialled, the oldest first.
        case dials
        /// No lease is out. In the order in which they became idle.
        case idle
        /// Some leases are out and there is room for more.
        case shared
    }

    var generation: UInt32 = 0
    var phase = Phase.unused
    var membership = Membership.none
    var previous: Int32 = -1
    /// The next in its list, or in that of unused places.
    var next: Int32 = -1

    var leased: Int32 = 0
    var capacity: Int32 = 1
    /// Leases given in its life.
    var uses: UInt32 = 0
    /// The pool's generation when it was dialled; see ``PoolCore/outdated(now:into:)``.
    var epoch: UInt32 = 0
    /// Why it is closed as soon as no lease is out.
    var retirement: PoolCloseReason?
    /// Whether a dial has been asked for in its place.
    var isBeingReplaced = false
    var permit: CircuitBreaker.Permit?

    var bornAt = Instant(nanoseconds: 0)
    /// When it has lived long enough.
    var expiresAt = Instant.never
    /// When a replacement is dialled, ahead of ``expiresAt``.
    var replacedAt = Instant.never
    /// Since when no lease is out.
    var idleSince = Instant(nanoseconds: 0)
    /// When it was last used or probed.
    var provedAt = Instant(nanoseconds: 0)
    /// How long it may be quiet before a keepalive, with its jitter, in nanoseconds.
    var keepAliveInterval = CoreTimes.unset
    /// When the phase it is in has taken too long.
    var due = Instant.never
    /// The earliest entry the heap has for it.
    var armedAt = Instant.never

    var hasRoom: Bool { leased < capacity }

    /// The list a ready connection belongs to.
    var membershipDue: Membership { leased == 0 ? .idle : hasRoom ? .shared : .none }

    /// Gives one lease out.
    ///
    /// - Returns: The list it stands in, and the one it belongs to from now on.
    mutating func take() -> (Membership, Membership) {
        leased += 1
        uses &+= 1
        return (membership, hasRoom ? .shared : .none)
    }

    /// Leaves its list.
    ///
    /// - Returns: The list it stood in, and those before and after it.
    mutating func unlink() -> (Membership, previous: Int32, next: Int32) {
        defer { membership = .none }
        return (membership, previous, next)
    }

    /// Stands in a list from now on.
    mutating func link(_ membership: Membership, _ previous: Int32, _ next: Int32) {
        self.membership = membership
        self.previous = previous
        self.next = next
    }

    /// Whether a lease that comes back changes nothing but this record and its place.
    func isKept(_ generation: UInt32, _ epoch: UInt32, _ now: Instant) -> Bool {
        self.generation == generation && phase == .ready && retirement == nil && capacity > 0
            && self.epoch == epoch && now < expiresAt
    }

    /// Remembers why it is to be closed. That it broke counts for more than that its time is over:
    /// a broken one is bidden no farewell, and who has it is told that it is dead.
    mutating func retire(_ reason: PoolCloseReason) {
        if retirement?.isOrderly ?? true { retirement = reason }
    }

    /// When something is to be done of it because of the time.
    func dueAt(_ times: CoreTimes, _ now: Instant) -> Instant {
        switch phase {
        case .unused: return .never
        case .dialling, .abandoned, .probing, .closing: return due
        case .ready:
            var due = min(expiresAt, replacedAt)
            guard membership == .idle else { return due }
            if times.idleTimeout != CoreTimes.unset {
                // Those within the minimum are looked at again each time.
                let end = idleSince.after(times.idleTimeout)
                due = min(due, end > now ? end : now.after(times.idleTimeout))
            }
            return min(due, provedAt.after(keepAliveInterval))
        }
    }
}

extension Instant {
    /// Later than anything.
    static var never: Instant { Instant(nanoseconds: .max) }
}
