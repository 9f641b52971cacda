import Synchronization

/// Which sessions a user has, on all loops.
final class SessionDirectory: Sendable {
    struct Entry: Hashable {
        let id: SessionID
        let device: String?
    }

    private let sessionsPerUserMax: Int
    private let users = Mutex<[ExactName: [Entry]]>([:])

    init(sessionsPerUserMax: Int) {
        self.sessionsPerUserMax = sessionsPerUserMax
    }

    /// Users with sessions.
    var count: Int { users.withLock { $0.count } }

    /// Whether the user may have another one.
    func hasRoom(for user: String) -> Bool {
        users.withLock { $0[ExactName(user)]?.count ?? 0 } < sessionsPerUserMax
    }

    /// Notes a session, or the other device of one that is noted; `false` where the user has as many
    /// as one may.
    func add(_ id: SessionID, of user: String, on device: String?) -> Bool {
        users.withLock { users in
            var entries = users[ExactName(user)] ?? []
            entries.removeAll { $0.id == id }
            guard entries.count < sessionsPerUserMax else { return false }
            entries.append(Entry(id: id, device: device))
            users[ExactName(user)] = entries
            return true
        }
    }

    func remove(_ id: SessionID, of user: String) {
        users.withLock { users in
            let name = ExactName(user)
            guard var entries = users[name] else { return }
            entries.removeAll { $0.id == id }
            users[name] = entries.isEmpty ? nil : entries
        }
    }

    /// The user's sessions, the oldest first.
    func sessions(of user: String) -> [Entry] {
        users.withLock { $0[ExactName(user)] ?? [] }
    }

    /// The user's sessions on one device.
    func sessions(of user: String, on device: String) -> [Entry] {
        sessions(of: user).filter { $0.device?.isSameBytes(as: device) ?? false }
    }

    /// The sessions that are meant, each once; `nil` where it does not go by users.
    func sessions(of recipients: Recipients) -> [SessionID]? {
        let except = Set(recipients.exceptUsers.map(ExactName.init))
        switch recipients.scope {
        case .everyone, .topic:
            return nil
        case .users(let names):
            var passed = except
            return names.flatMap { name in
                passed.insert(ExactName(name)).inserted ? sessions(of: name).map(\.id) : []
            }
        case .device(let user, let device):
            guard !except.contains(ExactName(user)) else { return [] }
            return sessions(of: user, on: device).map(\.id)
        }
    }
}
