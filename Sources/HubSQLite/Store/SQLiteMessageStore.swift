internal import GRDB
public import Hub

/// A ``/Hub/MessageStore`` in one SQLite file: histories and inboxes survive the process.
///
/// The file is in WAL mode. Calls that come while a commit is under way share the next one, so that
/// many publishers cost few commits; a call is answered once its commit is done. Work runs on threads
/// of the store's own. One store uses a file at a time: a second one, in whatever process, is refused.
public final class SQLiteMessageStore: MessageStore {
    /// What a store may be told when it is opened.
    public struct Configuration: Hashable, Sendable {
        /// What an answered call has survived.
        public enum Synchronization: Hashable, Sendable {
            /// Each commit waits for the disk: answered calls survive the loss of power.
            case disk
            /// Commits are handed to the operating system: answered calls survive the end of the
            /// process, also by `SIGKILL`, and the latest may be lost with the machine.
            case process
        }

        /// What an answered call has survived. Default ``Synchronization/disk``.
        public var synchronization = Synchronization.disk
        /// How large the file may become; `nil`, the default, for as large as the disk allows.
        /// Beyond it calls fail with ``/Hub/StoreError/Reason/full``.
        public var fileBytesMax: Int?
        /// Writing calls that may wait for their commit; further ones fail with
        /// ``/Hub/StoreError/Reason/unavailable``. Default 8,192.
        public var waitingWritesMax = 8_192
        /// Writing calls that share one commit at the most. Default 512.
        public var writesPerCommitMax = 512
        /// Reads that run beside each other. Default 2.
        public var readersMax = 2

        /// Creates the defaults.
        public init() {}
    }

    private let pool: DatabasePool
    private let writes: GroupCommit
    private let lock: StoreLock

    /// Opens the store, and creates the file where there is none.
    ///
    /// - Parameters:
    ///   - path: The file; three more stand beside it, with `-wal`, `-shm` and `-lock` after its name.
    ///   - configuration: Its limits and its durability.
    /// - Throws: ``/Hub/StoreError``: the file cannot be opened, is in use, is no store, or is one of a
    ///   later version.
    public init(
        path: String, configuration: Configuration = .init()
    ) throws(StoreError) {
        precondition(configuration.readersMax > 0, "readersMax is \(configuration.readersMax)")
        lock = try StoreLock(path: path)
        var settings = GRDB.Configuration()
        settings.label = "HubSQLite"
        settings.busyMode = .timeout(5)
        settings.maximumReaderCount = configuration.readersMax
        settings.prepareDatabase { database in
            try database.bound(to: configuration.fileBytesMax)
        }
        do {
            pool = try DatabasePool(path: path, configuration: settings)
            if configuration.synchronization == .disk {
                // GRDB has set NORMAL, which loses the latest commits with the power.
                try pool.writeWithoutTransaction {
                    try $0.execute(sql: "PRAGMA synchronous = FULL")
                }
            }
            try Schema.install(in: pool)
        } catch {
            throw StoreError(error)
        }
        writes = GroupCommit(
            pool: pool, waitingMax: configuration.waitingWritesMax,
            perCommitMax: configuration.writesPerCommitMax)
    }

    /// ``/Hub/StoreDurability/durable``.
    public var durability: StoreDurability { .durable }

    /// Commits made so far: fewer than calls where these came together.
    public var commits: Int { writes.commits }

    /// What the writing connection waits for, as SQLite counts it: 2 for the disk (PRAGMA synchronous).
    func synchronousLevel() async throws(StoreError) -> Int? {
        try await writes.run { try Int.fetchOne($0, sql: "PRAGMA synchronous") }
    }

    // MARK: - History

    public func append(
        _ batch: [HistoryAppend], at now: Timestamp
    ) async throws(StoreError) -> [HistoryAppended] {
        try await writes.run { database in
            let histories = Histories(database: database, now: now)
            return try batch.map { try histories.append($0) }
        }
    }

    public func history(
        of topic: String, after position: TopicPosition?, limit: PageLimit, at now: Timestamp
    ) async throws(StoreError) -> HistoryPage? {
        try await read { database in
            try Histories(database: database, now: now)
                .page(of: topic, after: position, limit: limit)
        }
    }

    public func removeHistory(of topic: String) async throws(StoreError) {
        try await writes.run { database in
            try Histories(database: database, now: Timestamp(milliseconds: 0)).remove(topic)
        }
    }

    // MARK: - Inboxes

    public func deposit(
        _ batch: [InboxDeposit], at now: Timestamp
    ) async throws(StoreError) -> [InboxDeposited] {
        try await writes.run { database in
            let inboxes = Inboxes(database: database)
            return try batch.map { try inboxes.deposit($0, at: now) }
        }
    }

    public func unacknowledged(
        of user: String, after id: InboxID?, limit: PageLimit, at now: Timestamp
    ) async throws(StoreError) -> InboxPage {
        try await read { database in
            try Inboxes(database: database)
                .page(of: user, after: id, quarantined: false, limit: limit, at: now)
        }
    }

    public func acknowledge(_ batch: [InboxReference]) async throws(StoreError) {
        try await update(batch) { try $0.remove($1) }
    }

    public func countAttempts(_ batch: [InboxReference]) async throws(StoreError) {
        try await update(batch) { try $0.countAttempt($1) }
    }

    public func quarantine(_ batch: [InboxReference]) async throws(StoreError) {
        try await update(batch) { try $0.quarantine($1) }
    }

    public func quarantined(
        of user: String, limit: PageLimit, at now: Timestamp
    ) async throws(StoreError) -> InboxPage {
        try await read { database in
            try Inboxes(database: database)
                .page(of: user, after: nil, quarantined: true, limit: limit, at: now)
        }
    }

    // MARK: - Life

    /// Removes what has expired, a part per commit, so that other writes come between.
    @discardableResult
    public func removeExpired(at now: Timestamp) async throws(StoreError) -> Int {
        var removed = 0
        var sweep = Sweep()
        while !sweep.isOver {
            let state = sweep
            let (count, next) = try await writes.run { database in
                try state.step(in: database, at: now)
            }
            removed += count
            sweep = next
        }
        return removed
    }

    /// Waits for the writes that were begun, then closes the file.
    public func close() async {
        await writes.close()
        lock.release()
    }

    private func update(
        _ batch: [InboxReference],
        _ body: @escaping @Sendable (Inboxes, InboxReference) throws -> Void
    ) async throws(StoreError) {
        guard !batch.isEmpty else { return }
        try await writes.run { database in
            let inboxes = Inboxes(database: database)
            for reference in batch { try body(inboxes, reference) }
        }
    }

    private func read<Answer: Sendable>(
        _ body: @escaping @Sendable (Database) throws -> Answer
    ) async throws(StoreError) -> Answer {
        guard !writes.isClosed else { throw StoreError(.closed) }
        let answer: Result<Answer, StoreError> = await withCheckedContinuation { continuation in
            pool.asyncRead { opened in
                do {
                    continuation.resume(returning: .success(try body(opened.get())))
                } catch {
                    continuation.resume(returning: .failure(StoreError(error)))
                }
            }
        }
        return try answer.get()
    }
}

extension Database {
    fileprivate func bound(to fileBytesMax: Int?) throws {
        guard let bytes = fileBytesMax else { return }
        let pageBytes = try Int.fetchOne(self, sql: "PRAGMA page_size") ?? 4_096
        try execute(sql: "PRAGMA max_page_count = \(max(1, bytes / pageBytes))")
    }
}
