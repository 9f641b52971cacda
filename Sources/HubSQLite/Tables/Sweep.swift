internal import GRDB
internal import Hub

/// Removes what has expired, a bounded part in each step.
struct Sweep: Sendable {
    private enum Stage: Hashable, Sendable {
        case histories(afterTopic: Int64)
        case inboxes
        case keys
        case emptyInboxes
        case over
    }

    /// Rows, or topics with their messages, that a step removes.
    private static let perStepMax = 500

    private var stage = Stage.histories(afterTopic: 0)

    var isOver: Bool { stage == .over }

    /// Does a part of the work.
    ///
    /// - Returns: How many messages went, and what is left to do.
    func step(in database: Database, at now: Timestamp) throws -> (removed: Int, next: Sweep) {
        var next = self
        var removed = 0
        switch stage {
        case .histories(let topic):
            let (count, last) = try Histories(database: database, now: now)
                .removeOld(afterTopic: topic, topicsMax: Self.perStepMax)
            removed = count
            next.stage = last.map(Stage.histories(afterTopic:)) ?? .inboxes
        case .inboxes:
            removed = try Inboxes(database: database)
                .removeExpired(at: now, messagesMax: Self.perStepMax)
            if removed < Self.perStepMax { next.stage = .keys }
        case .keys:
            let history = try delete(
                "history_key WHERE (topic, name) IN (SELECT topic, name FROM history_key",
                at: now, in: database)
            let inbox = try delete(
                "inbox_key WHERE (inbox, name) IN (SELECT inbox, name FROM inbox_key", at: now,
                in: database)
            if history < Self.perStepMax, inbox < Self.perStepMax { next.stage = .emptyInboxes }
        case .emptyInboxes:
            try database.cachedStatement(
                sql: """
                    DELETE FROM inbox WHERE id IN (SELECT id FROM inbox WHERE messages = 0 AND NOT
                        EXISTS (SELECT 1 FROM inbox_key WHERE inbox_key.inbox = inbox.id) LIMIT ?)
                    """
            ).execute(arguments: [Self.perStepMax])
            if database.changesCount < Self.perStepMax { next.stage = .over }
        case .over:
            preconditionFailure("a step of a sweep that is over")
        }
        return (removed, next)
    }

    private func delete(_ rows: String, at now: Timestamp, in database: Database) throws -> Int {
        try database.cachedStatement(sql: "DELETE FROM \(rows) WHERE expiry <= ? LIMIT ?)")
            .execute(arguments: [now.milliseconds, Self.perStepMax])
        return database.changesCount
    }
}
