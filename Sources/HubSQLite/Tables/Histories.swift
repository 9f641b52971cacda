internal import FoundationEssentials
internal import GRDB
internal import Hub

/// The histories of topics, within one transaction.
struct Histories {
    private struct Topic {
        let id: Int64
        let epoch: Epoch
        var last: UInt64
        var messages: Int
        var bytes: Int
        /// In milliseconds.
        var age: Int64?
    }

    let database: Database
    let now: Timestamp

    // MARK: - Appending

    func append(_ entry: HistoryAppend) throws -> HistoryAppended {
        var topic = try find(entry.topic) ?? create(entry)
        let key = entry.idempotencyKey.map(Data.init(name:))
        if let key, let known = try position(of: key, in: topic) {
            return .duplicate(TopicPosition(epoch: topic.epoch, offset: known))
        }
        topic.last += 1
        if let key {
            try run(
                "INSERT OR REPLACE INTO history_key (topic, name, position, expiry) VALUES (?, ?, ?, ?)",
                [
                    topic.id, key, Int64(bitPattern: topic.last),
                    (now + entry.idempotencyWindow).milliseconds,
                ])
        }
        topic.age = entry.limits.age.map { (Timestamp(milliseconds: 0) + $0).milliseconds }
        if entry.limits.messagesMax > 0 {
            topic.messages += 1
            topic.bytes += entry.message.bytes
            try run(
                """
                INSERT INTO history_message (topic, position, time, \(MessageColumns.names))
                VALUES (?, ?, ?, \(MessageColumns.marks))
                """,
                [topic.id, Int64(bitPattern: topic.last), now.milliseconds]
                    + MessageColumns.values(of: entry.message))
        }
        try trim(&topic, to: entry.limits)
        try update(topic)
        return .appended(TopicPosition(epoch: topic.epoch, offset: topic.last))
    }

    private func create(_ entry: HistoryAppend) throws -> Topic {
        try run(
            "INSERT INTO topic (name, epoch, last, messages, bytes) VALUES (?, ?, 0, 0, 0)",
            [Data(name: entry.topic), Int64(bitPattern: entry.epochIfNew.rawValue)])
        return Topic(
            id: database.lastInsertedRowID, epoch: entry.epochIfNew, last: 0, messages: 0, bytes: 0)
    }

    private func position(of key: Data, in topic: Topic) throws -> UInt64? {
        try Int64.fetchOne(
            database.cachedStatement(
                sql: "SELECT position FROM history_key WHERE topic = ? AND name = ? AND expiry > ?"),
            arguments: [topic.id, key, now.milliseconds]
        )
        .map { UInt64(bitPattern: $0) }
    }

    /// Drops the oldest messages until the topic keeps to its limits.
    private func trim(_ topic: inout Topic, to limits: HistoryLimits) throws {
        let isOver = { (topic: Topic) in
            topic.messages > limits.messagesMax
                || (topic.bytes > limits.bytesMax && topic.messages > 1)
        }
        guard isOver(topic) || topic.age != nil else { return }
        let oldest = try Row.fetchCursor(
            database.cachedStatement(
                sql: """
                    SELECT position, time, bytes FROM history_message
                    WHERE topic = ? ORDER BY position
                    """), arguments: [topic.id])
        var dropped: Int64?
        while let row = try oldest.next() {
            guard isOver(topic) || isOld(row[1], topic) else { break }
            dropped = row[0]
            topic.messages -= 1
            topic.bytes -= row[2]
        }
        guard let dropped else { return }
        try run(
            "DELETE FROM history_message WHERE topic = ? AND position <= ?", [topic.id, dropped])
    }

    private func isOld(_ time: Int64, _ topic: Topic) -> Bool {
        topic.age.map { time <= now.milliseconds(before: .milliseconds($0)) } ?? false
    }

    // MARK: - Reading

    func page(
        of name: String, after position: TopicPosition?, limit: PageLimit
    ) throws -> HistoryPage? {
        guard let topic = try find(name) else { return nil }
        let oldestTime = topic.age.map { now.milliseconds(before: .milliseconds($0)) } ?? .min
        let oldest =
            try Int64.fetchOne(
                database.cachedStatement(
                    sql: "SELECT MIN(position) FROM history_message WHERE topic = ? AND time > ?"),
                arguments: [topic.id, oldestTime]
            )
            .map { UInt64(bitPattern: $0) } ?? topic.last + 1
        var isRecovered = false
        if let position, position.epoch == topic.epoch, position.offset <= topic.last {
            isRecovered = position.offset + 1 >= oldest
        }
        var fill = PageFill(limit)
        var messages: [StoredMessage] = []
        var hasMore = false
        let after = isRecovered ? position?.offset ?? 0 : oldest - 1
        let rows = try Row.fetchCursor(
            database.cachedStatement(
                sql: """
                    SELECT position, time, \(MessageColumns.names) FROM history_message
                    WHERE topic = ? AND position > ? ORDER BY position \(isRecovered ? "" : "DESC")
                    """), arguments: [topic.id, Int64(bitPattern: after)])
        while let row = try rows.next() {
            guard fill.admits(row[2 + MessageColumns.sizeIndex]) else {
                hasMore = isRecovered
                break
            }
            messages.append(
                StoredMessage(
                    offset: UInt64(bitPattern: row[0]), time: Timestamp(milliseconds: row[1]),
                    message: try MessageColumns.message(in: row, at: 2)))
        }
        if !isRecovered { messages.reverse() }
        return HistoryPage(
            end: TopicPosition(epoch: topic.epoch, offset: topic.last), isRecovered: isRecovered,
            messages: messages, hasMore: hasMore)
    }

    // MARK: - Removing

    func remove(_ name: String) throws {
        guard let topic = try find(name) else { return }
        try run("DELETE FROM history_message WHERE topic = ?", [topic.id])
        try run("DELETE FROM history_key WHERE topic = ?", [topic.id])
        try run("DELETE FROM topic WHERE id = ?", [topic.id])
    }

    /// Removes old messages of some topics, those with the lowest ids after `id`.
    ///
    /// - Returns: How many messages went, and the last of the topics; `nil` where there was none.
    func removeOld(afterTopic id: Int64, topicsMax: Int) throws -> (removed: Int, last: Int64?) {
        let topics = try Row.fetchAll(
            database.cachedStatement(
                sql: """
                    SELECT id, epoch, last, messages, bytes, age FROM topic
                    WHERE id > ? AND age IS NOT NULL ORDER BY id LIMIT ?
                    """), arguments: [id, topicsMax]
        )
        .map(Self.topic)
        var removed = 0
        for var topic in topics {
            let before = topic.messages
            var limits = HistoryLimits()
            limits.messagesMax = .max
            limits.bytesMax = .max
            try trim(&topic, to: limits)
            guard topic.messages < before else { continue }
            removed += before - topic.messages
            try update(topic)
        }
        return (removed, topics.last?.id)
    }

    // MARK: - Topics

    private func find(_ name: String) throws -> Topic? {
        try Row.fetchOne(
            database.cachedStatement(
                sql: "SELECT id, epoch, last, messages, bytes, age FROM topic WHERE name = ?"),
            arguments: [Data(name: name)]
        )
        .map(Self.topic)
    }

    private static func topic(in row: Row) -> Topic {
        Topic(
            id: row[0], epoch: Epoch(rawValue: UInt64(bitPattern: row[1])),
            last: UInt64(bitPattern: row[2]), messages: row[3], bytes: row[4], age: row[5])
    }

    private func update(_ topic: Topic) throws {
        try run(
            "UPDATE topic SET last = ?, messages = ?, bytes = ?, age = ? WHERE id = ?",
            [Int64(bitPattern: topic.last), topic.messages, topic.bytes, topic.age, topic.id])
    }

    private func run(_ sql: String, _ arguments: [(any DatabaseValueConvertible)?]) throws {
        try database.cachedStatement(sql: sql).execute(arguments: StatementArguments(arguments))
    }
}
