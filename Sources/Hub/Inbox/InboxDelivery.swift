import NetPoll

/// What a session was given of its user's inbox and has not acknowledged.
///
/// Sees neither store nor clock: it says what to read, and what of it to send.
struct InboxDelivery {
    /// What to do with a message that was read.
    enum OnRead: Hashable {
        case send
        /// It was delivered too often.
        case quarantine
        /// It is under way.
        case leave
    }

    private let policy: InboxPolicy
    /// When each is sent again.
    private var given: [InboxID: Instant] = [:]
    /// What was quarantined of it lately: the client may have it all the same.
    private var setAside: [InboxID] = []
    /// The highest id ever given to the session.
    private(set) var last: InboxID?
    /// The inbox may hold more than the session was given.
    private(set) var mayHaveMore = true
    /// The store is asked; what it answers may be older than what was deposited meanwhile.
    private(set) var isReading = false
    private var hasChangedSince = false

    init(policy: InboxPolicy) {
        self.policy = policy
    }

    /// Messages given and not acknowledged.
    var count: Int { given.count }

    /// How many more messages may be given.
    var room: Int { policy.unacknowledgedMax - given.count }

    /// Whether it is worth reading on.
    var wantsMore: Bool { mayHaveMore && room > 0 && !isReading }

    /// Something was deposited.
    mutating func changed() {
        mayHaveMore = true
        hasChangedSince = isReading
    }

    /// Notes that the store is asked for a page.
    mutating func beganReading() {
        isReading = true
        hasChangedSince = false
    }

    /// Notes that the store has answered, or failed.
    mutating func endedReading() { isReading = false }

    /// Decides about a message of the inbox, in the order of ids.
    mutating func read(_ message: InboxMessage, at now: Instant) -> OnRead {
        if let dueAt = given[message.id] {
            guard dueAt <= now else { return .leave }
        } else if let last, message.id <= last {
            // It was given, and acknowledged since it was read.
            return .leave
        }
        guard message.attempts < policy.attemptsMax else {
            if given.removeValue(forKey: message.id) != nil { setAside.append(message.id) }
            if setAside.count > policy.unacknowledgedMax { setAside.removeFirst() }
            last = max(last ?? message.id, message.id)
            return .quarantine
        }
        let attempts = message.attempts + 1
        given[message.id] = now + policy.patience(afterAttempt: attempts)
        last = max(last ?? message.id, message.id)
        return .send
    }

    /// Notes that a page ended: with more after it, or with all there was when the store was asked.
    mutating func readAll(hasMore: Bool) { mayHaveMore = hasMore || hasChangedSince }

    /// Forgets messages that were due and that the inbox did not hold any more, because another
    /// session has acknowledged them or they expired.
    ///
    /// - Parameters:
    ///   - now: When they were due.
    ///   - first: What was read came after it; `nil` for the inbox's beginning.
    ///   - last: Where the reading ended; `nil` for the inbox's end.
    mutating func forget(dueAt now: Instant, after first: InboxID?, upTo last: InboxID?) {
        given = given.filter { id, dueAt in
            dueAt > now || first.map { id <= $0 } ?? false || last.map { id > $0 } ?? false
        }
    }

    /// What an acknowledgement means.
    enum OnAcknowledge: Hashable {
        /// It was waited for.
        case inTime
        /// The message was quarantined meanwhile.
        case late
        /// The session waits for no such message.
        case unknown
    }

    /// The client has it.
    mutating func acknowledged(_ id: InboxID) -> OnAcknowledge {
        if given.removeValue(forKey: id) != nil { return .inTime }
        guard let index = setAside.firstIndex(of: id) else { return .unknown }
        setAside.remove(at: index)
        return .late
    }

    /// What the client has could not be noted: it is sent again, and acknowledged again.
    mutating func acknowledgementLost(_ id: InboxID, at now: Instant) {
        guard given[id] == nil else { return }
        given[id] = now + policy.retryAfter
    }

    /// Puts off what is due: copies of what has not left yet are of no use.
    mutating func putOff(dueAt now: Instant) {
        for (id, dueAt) in given where dueAt <= now { given[id] = now + policy.retryAfter }
    }

    /// When the next message is to be sent again.
    var nextDue: Instant? { given.values.min() }

    /// The lowest id that is due.
    func firstDue(at now: Instant) -> InboxID? {
        given.filter { $0.value <= now }.keys.min()
    }
}
