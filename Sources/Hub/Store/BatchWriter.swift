import NetPoll
import Synchronization

/// Gives a store what many ask of it in batches: what comes while one batch is written makes the
/// next one.
final class BatchWriter<Item: Sendable, Answer: Sendable>: Sendable {
    typealias WhenDone = @Sendable (Result<Answer, StoreError>) -> Void

    private struct Waiting {
        let item: Item
        let bytes: Int
        let whenDone: WhenDone
    }

    private struct State {
        var waiting: [Waiting] = []
        var isWriting = false
        /// Items of the batch that is being written.
        var writing = 0
        /// Bytes of all these.
        var bytes = 0
    }

    static var batchMax: Int { 1_024 }

    private let bounds: WaitingBounds
    private let bytes: @Sendable (Item) -> Int
    private let loop: EventLoop
    private let write: @Sendable ([Item]) async throws(StoreError) -> [Answer]
    private let state = Mutex(State())

    /// Creates a writer whose task runs on `loop`; `bytes` says what an item counts.
    init(
        _ bounds: WaitingBounds, bytes: @escaping @Sendable (Item) -> Int = { _ in 0 },
        on loop: EventLoop,
        _ write: @escaping @Sendable ([Item]) async throws(StoreError) -> [Answer]
    ) {
        self.bounds = bounds
        self.bytes = bytes
        self.loop = loop
        self.write = write
    }

    /// Items that wait, those among them that are being written.
    var depth: Int { state.withLock { $0.waiting.count + $0.writing } }

    /// Writes `item` after all that was given before.
    ///
    /// - Parameters:
    ///   - item: What to write.
    ///   - whenDone: Called once, on any thread, in the order of the items; at once where too many
    ///     wait.
    /// - Returns: Whether it was taken.
    @discardableResult
    func submit(_ item: Item, whenDone: @escaping WhenDone) -> Bool {
        let bytes = bytes(item)
        let (isTaken, isFirst) = state.withLock { state -> (Bool, Bool) in
            guard state.waiting.count < bounds.itemsMax,
                bounds.hasRoom(for: bytes, beside: state.bytes)
            else { return (false, false) }
            state.waiting.append(Waiting(item: item, bytes: bytes, whenDone: whenDone))
            state.bytes += bytes
            bounds.ledger.add(bytes)
            defer { state.isWriting = true }
            return (true, !state.isWriting)
        }
        guard isTaken else {
            whenDone(.failure(StoreError(.unavailable, detail: "too much waits")))
            return false
        }
        if isFirst { Task(executorPreference: loop) { await self.run() } }
        return true
    }

    private func run() async {
        while true {
            let batch = state.withLock { state in
                let batch = Array(state.waiting.prefix(Self.batchMax))
                state.waiting.removeFirst(batch.count)
                state.writing = batch.count
                if batch.isEmpty { state.isWriting = false }
                return batch
            }
            guard !batch.isEmpty else { return }
            do throws(StoreError) {
                let answers = try await write(batch.map(\.item))
                release(batch)
                for (waiting, answer) in zip(batch, answers) {
                    waiting.whenDone(.success(answer))
                }
            } catch {
                release(batch)
                for waiting in batch { waiting.whenDone(.failure(error)) }
            }
        }
    }

    /// Counts a batch that was written no more.
    private func release(_ batch: [Waiting]) {
        let bytes = batch.reduce(0) { $0 + $1.bytes }
        state.withLock { $0.bytes -= bytes }
        bounds.ledger.add(-bytes)
    }
}
