import Synchronization

/// A bounded number of threads for work that blocks or takes long, so that no loop has to do it.
///
/// ```swift
/// let digest = try await pool.run { slowDigest(of: file) }
/// ```
///
/// The task that waits goes on where it was before: on its loop, where it prefers one.
public final class WorkerPool: Sendable {
    /// What happens to work for which the queue has no room.
    public enum FullPolicy: Hashable, Sendable {
        /// The task waits until there is room, and then for its work; the queue holds no more than
        /// the tasks that wait.
        case wait
        /// The work is refused with ``WorkerPoolError/full``.
        case refuse
        /// The caller's own thread does it: a brake on whoever asks for too much.
        case runInPlace
    }

    /// Settings of a pool.
    public struct Configuration: Hashable, Sendable {
        /// How many threads work. Default: as many as cores this process may use.
        public var threads = Platform.coreCount
        /// Work that may wait for a thread. Default 1,024.
        public var queueMax = 1_024
        /// Default ``FullPolicy/wait``.
        public var whenFull = FullPolicy.wait

        public init() {}
    }

    /// What a pool did and holds.
    public struct Metrics: Hashable, Sendable {
        /// Work that waits for a thread now.
        public internal(set) var waiting = 0
        /// Work that threads do now.
        public internal(set) var running = 0
        /// Work that threads finished.
        public internal(set) var finished = 0
        /// Work that was refused.
        public internal(set) var refused = 0
        /// Work that its caller's thread did.
        public internal(set) var ranInPlace = 0
        /// Work that was taken back before it began, because its task was cancelled.
        public internal(set) var cancelled = 0
    }

    /// The settings it was made with.
    public let configuration: Configuration

    private let core: WorkerCore

    /// Starts the threads.
    ///
    /// - Throws: ``SystemError`` where threads are exhausted.
    public init(configuration: Configuration = .init()) throws(SystemError) {
        precondition(configuration.threads > 0, "a pool of \(configuration.threads) threads")
        precondition(configuration.queueMax >= 0, "a queue of \(configuration.queueMax)")
        self.configuration = configuration
        core = WorkerCore(threads: configuration.threads)
        for index in 0..<configuration.threads {
            do {
                try LoopThread.start { [core] in core.work() }
            } catch {
                core.lose(threads: configuration.threads - index)
                core.close(nil)
                throw error
            }
        }
    }

    // Threads know the core only, so a pool that nobody holds ends them.
    deinit { core.close(nil) }

    /// What the pool did so far.
    public var metrics: Metrics { core.queue.withLock { $0.metrics } }

    /// Does `body` on one of the pool's threads.
    ///
    /// A task that is cancelled before its work began throws `CancellationError` at once; work that
    /// has begun is finished.
    ///
    /// - Throws: ``WorkerPoolError``, or what `body` throws.
    public func run<Result: Sendable>(
        _ body: @escaping @Sendable () throws -> Result
    ) async throws -> Result {
        let id = core.queue.withLock { $0.takeID() }
        let outcome: Swift.Result<Result, any Error>? = await withTaskCancellationHandler {
            await withCheckedContinuation { waiter in
                let job = WorkerQueue.Job(
                    id: id, run: { waiter.resume(returning: Swift.Result(catching: body)) },
                    drop: { waiter.resume(returning: .failure($0)) })
                switch core.add(job, configuration, mayWait: true) {
                case .taken: break
                case .inPlace: waiter.resume(returning: nil)
                case .cancelled: waiter.resume(returning: .failure(CancellationError()))
                case .refused(let error): waiter.resume(returning: .failure(error))
                }
            }
        } onCancel: {
            core.queue.withLock { $0.cancel(id) }?.drop(CancellationError())
        }
        return try outcome?.get() ?? body()
    }

    /// Does `body` on one of the pool's threads and waits for nothing; for handlers.
    ///
    /// Where the queue is full, ``FullPolicy/wait`` refuses too: a loop must not wait.
    ///
    /// - Throws: ``WorkerPoolError``.
    public func submit(_ body: @escaping @Sendable () -> Void) throws(WorkerPoolError) {
        let id = core.queue.withLock { $0.takeID() }
        let job = WorkerQueue.Job(id: id, run: body, drop: { _ in })
        switch core.add(job, configuration, mayWait: false) {
        case .taken, .cancelled: break
        case .inPlace: body()
        case .refused(let error): throw error
        }
    }

    /// Refuses new work, lets the threads finish what waits, and returns when they are done.
    public func shutdown() async {
        await withCheckedContinuation { waiter in core.close(waiter) }
    }
}
