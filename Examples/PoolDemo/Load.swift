import ConnPool
import NetPoll
import Synchronization

/// Tasks that ask one request after another, all of them safe to repeat.
final class Load: Sendable {
    /// An answer was cut short.
    struct EarlyEnd: Error {}

    private let pool: TCPConnectionPool
    private let callers: Int
    private let loops: [EventLoop]
    private let isStopped = Atomic<Bool>(false)
    private let answeredCount = Atomic<Int>(0)
    private let failedCount = Atomic<Int>(0)
    private let last = Mutex<String?>(nil)

    init(pool: TCPConnectionPool, callers: Int, loops: [EventLoop]) {
        self.pool = pool
        self.callers = callers
        self.loops = loops
    }

    var answered: Int { answeredCount.load(ordering: .relaxed) }
    var failed: Int { failedCount.load(ordering: .relaxed) }
    var lastError: String? { last.withLock { $0 } }

    func stop() { isStopped.store(true, ordering: .relaxed) }

    func run() async {
        await withTaskGroup { group in
            for index in 0..<callers {
                group.addTask(executorPreference: loops[index % loops.count]) {
                    await self.call(index)
                }
            }
        }
    }

    private func call(_ index: Int) async {
        while !isStopped.load(ordering: .relaxed) {
            do {
                try await pool.withConnection(retry: .onStale) { connection in
                    try await Self.ask("request of caller \(index)", on: connection)
                }
                answeredCount.add(1, ordering: .relaxed)
            } catch {
                failedCount.add(1, ordering: .relaxed)
                last.withLock { $0 = "\(error)" }
            }
        }
    }

    private static func ask(_ text: String, on connection: AsyncConnection) async throws {
        try await connection.write(text)
        var missing = text.utf8.count
        var inbound = connection.inbound.makeAsyncIterator()
        while missing > 0 {
            guard let bytes = try await inbound.next() else { throw EarlyEnd() }
            missing -= bytes.count
        }
    }
}
