internal import FoundationEssentials
internal import GRDB
internal import Hub

/// The inboxes of users, within one transaction.
struct Inboxes {
    private struct Inbox {
        let id: Int64
        var messages: Int
        var bytes: Int
    }

    let database: Database

    // MARK: - Depositing

    func deposit(_ deposit: InboxDeposit, at now: Timestamp) throws -> InboxDeposited {
        var inbox = try find(deposit.user) ?? create(deposit.user)
        let key = deposit.idempotencyKey.map(Data.init(name:))
        if let key, let known = try message(of: key, in: inbox, at: now) {
            return .duplicate(known)
        }
        let bytes = deposit.message.bytes
        let isFull = { (inbox: Inbox) in
            inbox.messages + 1 > deposit.limits.messagesMax
                || inbox.bytes + bytes > deposit.limits.bytesMax
        }
        if isFull(inbox) { try removeExpired(of: &inbox, at: now) }
        guard !isFull(inbox) else { return .refused }
        try run(
            """
            INSERT INTO inbox_message
                (inbox, time, expiry, attempts, quarantined, \(MessageColumns.names))
            VALUES (?, ?, ?, 0, 0, \(MessageColumns.marks))
            """,
            [inbox.id, now.milliseconds, deposit.expiry?.milliseconds]
                + MessageColumns.values(of: deposit.message))
        let id = database.lastInsertedRowID
        inbox.messages += 1
        inbox.bytes += bytes
        try update(inbox)
        if let key {
            try run(
                "INSERT OR REPLACE INTO inbox_key (inbox, name, message, expiry) VALUES (?, ?, ?, ?)",
                [inbox.id, key, id, (now + deposit.idempotencyWindow).milliseconds])
        }
        return .stored(InboxID(rawValue: UInt64(bitPattern: id)))
    }

    private func create(_ user: String) throws -> Inbox {
        try run(
            "INSERT INTO inbox (user, messages, bytes) VALUES (?, 0, 0)", [Data(name: user)])
        return Inbox(id: database.lastInsertedRowID, messages: 0, bytes: 0)
    }

    private func message(of key: Data, in inbox: Inbox, at now: Timestamp) throws -> InboxID? {
        try Int64.fetchOne(
            database.cachedStatement(
                sql: "SELECT message FROM inbox_key WHERE inbox = ? AND name = ? AND expiry > ?"),
            arguments: [inbox.id, key, now.milliseconds]
        )
        .map { InboxID(rawValue: UInt64(bitPattern: $0)) }
    }

    private func removeExpired(of inbox: inout Inbox, at now: Timestamp) throws {
        let expired = try Row.fetchOne(
            database.cachedStatement(
                sql: """
                    SELECT COUNT(*), TOTAL(bytes) FROM inbox_message
                    WHERE inbox = ? AND expiry <= ?
                    """), arguments: [inbox.id, now.milliseconds])
        guard let expired, expired[0] > 0 else { return }
        inbox.messages -= expired[0]
        inbox.bytes -= expired[1]
        try run(
            "DELETE FROM inbox_message WHERE inbox = ? AND expiry <= ?",
            [inbox.id, now.milliseconds])
        try update(inbox)
    }

    // MARK: - Reading

    func page(
        of user: String, after id: InboxID?, quarantined: Bool, limit: PageLimit, at now: Timestamp
    ) throws -> InboxPage {
        guard let inbox = try find(user) else { return InboxPage(messages: [], hasMore: false) }
        let rows = try Row.fetchCursor(
            database.cachedStatement(
                sql: """
                    SELECT id, time, expiry, attempts, \(MessageColumns.names) FROM inbox_message
                    WHERE inbox = ? AND quarantined = ? AND id > ?
                        AND (expiry IS NULL OR expiry > ?)
                    ORDER BY id
                    """),
            arguments: [
                inbox.id, quarantined, Int64(bitPattern: id?.rawValue ?? 0), now.milliseconds,
            ])
        var fill = PageFill(limit)
        var messages: [InboxMessage] = []
        while let row = try rows.next() {
            guard fill.admits(row[4 + MessageColumns.sizeIndex]) else {
                return InboxPage(messages: messages, hasMore: true)
            }
            messages.append(
                InboxMessage(
                    id: InboxID(rawValue: UInt64(bitPattern: row[0])),
                    message: try MessageColumns.message(in: row, at: 4),
                    time: Timestamp(milliseconds: row[1]),
                    expiry: (row[2] as Int64?).map(Timestamp.init(milliseconds:)),
                    attempts: row[3]))
        }
        return InboxPage(messages: messages, hasMore: false)
    }

    // MARK: - What becomes of a message

    func remove(_ reference: InboxReference) throws {
        guard var inbox = try find(reference.user) else { return }
        let id = Int64(bitPattern: reference.id.rawValue)
        let bytes = try Int.fetchOne(
            database.cachedStatement(
                sql: "SELECT bytes FROM inbox_message WHERE id = ? AND inbox = ?"),
            arguments: [id, inbox.id])
        guard let bytes else { return }
        try run("DELETE FROM inbox_message WHERE id = ?", [id])
        inbox.messages -= 1
        inbox.bytes -= bytes
        try update(inbox)
    }

    func countAttempt(_ reference: InboxReference) throws {
        try change(reference, "attempts = attempts + 1")
    }

    func quarantine(_ reference: InboxReference) throws {
        try change(reference, "quarantined = 1")
    }

    private func change(_ reference: InboxReference, _ change: String) throws {
        guard let inbox = try find(reference.user) else { return }
        try run(
            "UPDATE inbox_message SET \(change) WHERE id = ? AND inbox = ?",
            [Int64(bitPattern: reference.id.rawValue), inbox.id])
    }

    /// Removes some messages that have expired.
    ///
    /// - Returns: How many.
    func removeExpired(at now: Timestamp, messagesMax: Int) throws -> Int {
        let expired = try Row.fetchAll(
            database.cachedStatement(
                sql: "SELECT id, inbox, bytes FROM inbox_message WHERE expiry <= ? LIMIT ?"),
            arguments: [now.milliseconds, messagesMax])
        for row in expired {
            try run("DELETE FROM inbox_message WHERE id = ?", [row[0] as Int64])
            try run(
                "UPDATE inbox SET messages = messages - 1, bytes = bytes - ? WHERE id = ?",
                [row[2] as Int, row[1] as Int64])
        }
        return expired.count
    }

    // MARK: - Inboxes

    private func find(_ user: String) throws -> Inbox? {
        try Row.fetchOne(
            database.cachedStatement(sql: "SELECT id, messages, bytes FROM inbox WHERE user = ?"),
            arguments: [Data(name: user)]
        )
        .map { Inbox(id: $0[0], messages: $0[1], bytes: $0[2]) }
    }

    private func update(_ inbox: Inbox) throws {
        try run(
            "UPDATE inbox SET messages = ?, bytes = ? WHERE id = ?",
            [inbox.messages, inbox.bytes, inbox.id])
    }

    private func run(_ sql: String, _ arguments: [(any DatabaseValueConvertible)?]) throws {
        try database.cachedStatement(sql: sql).execute(arguments: StatementArguments(arguments))
    }
}
