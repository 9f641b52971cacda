import Synchronization

/// Users who are not let in, each until its time.
///
/// Holds at most ``usersMax``: of more, those go first whose time is over soonest.
final class BanList: Sendable {
    static let usersMax = 1_000_000

    private let bans = Mutex<[ExactName: Timestamp]>([:])

    /// Bans `user` until then; `nil` for ever.
    func ban(_ user: String, until: Timestamp?, at now: Timestamp) {
        bans.withLock { bans in
            if bans.count >= Self.usersMax {
                bans = bans.filter { $0.value > now }
                if bans.count >= Self.usersMax, let first = bans.min(by: { $0.value < $1.value }) {
                    bans[first.key] = nil
                }
            }
            bans[ExactName(user)] = until ?? Timestamp(milliseconds: .max)
        }
    }

    func unban(_ user: String) {
        bans.withLock { $0[ExactName(user)] = nil }
    }

    func isBanned(_ user: String, at now: Timestamp) -> Bool {
        bans.withLock { bans in
            guard let until = bans[ExactName(user)] else { return false }
            if until > now { return true }
            bans[ExactName(user)] = nil
            return false
        }
    }
}
