/// Who is in a topic, by user: a user with several sessions is there once.
///
/// Of a large topic only a sample is told by name: those of it who leave are replaced by others who are
/// there, so that whoever applies the changes knows as many names as the sample has places.
///
/// Changes gather until they are taken, so that a burst of them is one notice. A user that came and
/// went in between is reported as gone, one that went and came back as there: receivers apply the
/// changes as set operations, whatever they knew before.
struct PresenceSet {
    private var sessions: [ExactName: Int] = [:]
    /// Users whose coming or going has not been told, once each, and in the order of their changes.
    private var changed: Set<ExactName> = []
    private var changedInOrder = Ring<ExactName>()
    private var isTaking = false
    /// `nil` where what was told did not arrive.
    private var countTold: Int? = 0
    /// Who is told by name, where not all are.
    private var sample: Set<ExactName> = []
    private let mode: PresenceMode

    init(mode: PresenceMode = .users) {
        self.mode = mode
    }

    /// How many users are there.
    var count: Int { sessions.count }

    /// Notes a session of `user`.
    ///
    /// - Returns: Whether somebody has to arrange for ``takeChanges(max:)`` now.
    mutating func joined(_ user: String) -> Bool {
        guard mode != .nobody else { return false }
        let user = ExactName(user)
        sessions[user, default: 0] += 1
        guard sessions[user] == 1 else { return false }
        if case .sampled(let usersMax) = mode {
            guard sample.count < usersMax else { return noteCount() }
            sample.insert(user)
        }
        return noteChange(user)
    }

    /// Notes that a session of `user` has gone.
    ///
    /// - Returns: Whether somebody has to arrange for ``takeChanges(max:)`` now.
    mutating func left(_ user: String) -> Bool {
        let user = ExactName(user)
        guard let count = sessions[user] else { return false }
        guard count == 1 else {
            sessions[user] = count - 1
            return false
        }
        sessions[user] = nil
        if case .sampled = mode {
            guard sample.remove(user) != nil else { return noteCount() }
            replace()
        }
        return noteChange(user)
    }

    /// Takes somebody else into the sample, if anybody is there who is not in it.
    ///
    /// Complexity: O(sample).
    private mutating func replace() {
        guard let next = sessions.keys.first(where: { !sample.contains($0) }) else { return }
        sample.insert(next)
        append(next)
    }

    /// What changed since the last time, of at most `changesMax` users; ``changesPublished()`` has to
    /// follow. The rest stays, the oldest changes first, until the next time.
    mutating func takeChanges(max changesMax: Int) -> PresenceChanges {
        assert(isTaking, "nobody was asked to take changes")
        countTold = count
        var joined: [ExactName] = []
        var left: [ExactName] = []
        while joined.count + left.count < changesMax, let user = changedInOrder.popFirst() {
            changed.remove(user)
            if isNamed(user) { joined.append(user) } else { left.append(user) }
        }
        return PresenceChanges(
            joined: joined.sorted().map(\.string), left: left.sorted().map(\.string), count: count)
    }

    /// Takes back what could not be published, to be told next time.
    mutating func restore(_ changes: PresenceChanges) {
        for user in changes.joined { append(ExactName(user)) }
        for user in changes.left { append(ExactName(user)) }
        countTold = nil
    }

    /// Ends what ``takeChanges(max:)`` began.
    ///
    /// - Returns: Whether there are changes again, and ``takeChanges(max:)`` has to be arranged for.
    mutating func changesPublished() -> Bool {
        switch mode {
        case .count: isTaking = countTold != count
        case .sampled: isTaking = countTold != count || !changed.isEmpty
        case .users, .nobody: isTaking = !changed.isEmpty
        }
        return isTaking
    }

    /// Users that are there, in no order, at most `usersMax`.
    func users(max usersMax: Int) -> [String] {
        switch mode {
        case .count: []
        case .sampled: sample.prefix(usersMax).map(\.string)
        case .users, .nobody: sessions.keys.prefix(usersMax).map(\.string)
        }
    }

    /// Whether the user is there, and among those who are told by name.
    private func isNamed(_ user: ExactName) -> Bool {
        if case .sampled = mode { return sample.contains(user) }
        return sessions[user] != nil
    }

    private mutating func noteChange(_ user: ExactName) -> Bool {
        switch mode {
        case .users, .sampled: append(user)
        case .count, .nobody: break
        }
        return noteCount()
    }

    private mutating func noteCount() -> Bool {
        if isTaking { return false }
        isTaking = true
        return true
    }

    private mutating func append(_ user: ExactName) {
        if changed.insert(user).inserted { changedInOrder.append(user) }
    }
}

/// Who is told to be in a topic.
public enum PresenceMode: Hashable, Sendable {
    /// Every user, by name.
    case users
    /// So many users by name, and how many there are in all: those who came first, and others in place
    /// of those of them who left.
    case sampled(Int)
    /// How many users there are, for topics so large that names would be too much.
    case count
    /// Nobody; nothing is kept of who is there.
    case nobody
}

/// Users that came to a topic and users that left it, gathered over
/// ``HubConfiguration/presenceInterval``, at most ``HubConfiguration/presenceChangesMax`` of them.
public struct PresenceChanges: Hashable, Sendable {
    /// Users that are there now, sorted; some may have been there before.
    public let joined: [String]
    /// Users that are not there now, sorted; some may never have been seen.
    public let left: [String]
    /// How many users are there now.
    public let count: Int

    /// Creates changes, as a client reads them from a message.
    public init(joined: [String], left: [String], count: Int) {
        self.joined = joined
        self.left = left
        self.count = count
    }
}
