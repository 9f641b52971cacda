internal import GRDB
internal import Hub
internal import Synchronization

/// Runs writes one after another, as many as wait in one transaction.
///
/// Each write is a savepoint: one that fails leaves the others of its transaction alone. A write is
/// answered when the transaction is committed.
final class GroupCommit: Sendable {
    private struct Write: Sendable {
        /// Runs within a savepoint; what it returns gives the answer once that is known to last.
        let perform: @Sendable (Database) throws -> @Sendable () -> Void
        let fail: @Sendable (StoreError) -> Void
    }

    private struct State {
        var waiting: [Write] = []
        var isRunning = false
        var isClosed = false
        var closers: [CheckedContinuation<Void, Never>] = []
        var commits = 0
    }

    private let pool: DatabasePool
    private let waitingMax: Int
    private let perCommitMax: Int
    private let state = Mutex(State())

    init(pool: DatabasePool, waitingMax: Int, perCommitMax: Int) {
        precondition(waitingMax > 0, "waitingWritesMax is \(waitingMax)")
        precondition(perCommitMax > 0, "writesPerCommitMax is \(perCommitMax)")
        self.pool = pool
        self.waitingMax = waitingMax
        self.perCommitMax = perCommitMax
    }

    var isClosed: Bool { state.withLock { $0.isClosed } }

    var commits: Int { state.withLock { $0.commits } }

    /// Runs `body` within the next transaction, and returns once that is committed.
    func run<Answer: Sendable>(
        _ body: @escaping @Sendable (Database) throws -> Answer
    ) async throws(StoreError) -> Answer {
        let answer: Result<Answer, StoreError> = await withCheckedContinuation { continuation in
            let write = Write(
                perform: { database in
                    let answer = try body(database)
                    return { continuation.resume(returning: .success(answer)) }
                },
                fail: { continuation.resume(returning: .failure($0)) })
            if let refusal = enqueue(write) { write.fail(refusal) }
        }
        return try answer.get()
    }

    /// Takes no more writes, and returns when those that wait are done and the file is closed.
    func close() async {
        await withCheckedContinuation { continuation in
            let starts = state.withLock { state in
                let isFirst = !state.isClosed
                state.isClosed = true
                state.closers.append(continuation)
                guard isFirst, !state.isRunning else { return false }
                state.isRunning = true
                return true
            }
            if starts {
                schedule()
            } else {
                endIfClosed()
            }
        }
    }

    private func enqueue(_ write: Write) -> StoreError? {
        let (refusal, starts) = state.withLock { state -> (StoreError?, Bool) in
            guard !state.isClosed else { return (StoreError(.closed), false) }
            guard state.waiting.count < waitingMax else {
                return (
                    StoreError(.unavailable, detail: "\(waitingMax) writes wait already"), false
                )
            }
            state.waiting.append(write)
            defer { state.isRunning = true }
            return (nil, !state.isRunning)
        }
        if starts { schedule() }
        return refusal
    }

    private func schedule() {
        pool.asyncWriteWithoutTransaction { [self] database in
            var writes = next()
            while !writes.isEmpty {
                commit(writes, in: database)
                writes = next()
            }
            endIfClosed()
        }
    }

    /// The writes of the next transaction; where there are none, this run is over.
    private func next() -> ArraySlice<Write> {
        state.withLock { state in
            let writes = state.waiting.prefix(perCommitMax)
            state.waiting.removeFirst(writes.count)
            if writes.isEmpty { state.isRunning = false } else { state.commits += 1 }
            return writes
        }
    }

    private func commit(_ writes: ArraySlice<Write>, in database: Database) {
        var answers: [(give: @Sendable () -> Void, fail: @Sendable (StoreError) -> Void)] = []
        var failures: [(fail: @Sendable (StoreError) -> Void, error: StoreError)] = []
        do {
            try database.beginTransaction(.immediate)
            for write in writes {
                do {
                    var answer: (@Sendable () -> Void)?
                    try database.inSavepoint {
                        answer = try write.perform(database)
                        return .commit
                    }
                    if let answer { answers.append((answer, write.fail)) }
                } catch {
                    failures.append((write.fail, StoreError(error)))
                    // A full disk ends the whole transaction.
                    guard database.isInsideTransaction else { throw error }
                }
            }
            try database.commit()
            for answer in answers { answer.give() }
        } catch {
            // What went wrong is told below.
            if database.isInsideTransaction { try? database.rollback() }
            let failure = StoreError(error)
            for answer in answers { answer.fail(failure) }
            for write in writes.dropFirst(answers.count + failures.count) { write.fail(failure) }
        }
        for (fail, error) in failures { fail(error) }
    }

    /// Closes the file where that was asked for and nothing runs any more.
    private func endIfClosed() {
        let closers = state.withLock { state -> [CheckedContinuation<Void, Never>] in
            guard state.isClosed, !state.isRunning else { return [] }
            defer { state.closers = [] }
            return state.closers
        }
        guard !closers.isEmpty else { return }
        // Not on the writer's own queue, which closing waits for.
        Task { [pool] in
            try? pool.close()  // A read under way keeps it open; it closes with the last reference.
            for closer in closers { closer.resume() }
        }
    }
}
