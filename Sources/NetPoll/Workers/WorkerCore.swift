import Synchronization

/// What a pool shares with its threads.
final class WorkerCore: Sendable {
    let queue: Mutex<WorkerQueue>
    /// Signalled once for each job and, in the end, for each thread.
    private let wakeup = Semaphore()

    init(threads: Int) {
        queue = Mutex(WorkerQueue(threads: threads))
    }

    func add(
        _ job: WorkerQueue.Job, _ configuration: WorkerPool.Configuration, mayWait: Bool
    ) -> WorkerQueue.OnAdd {
        let outcome = queue.withLock { $0.add(job, configuration, mayWait: mayWait) }
        if case .taken = outcome { wakeup.signal() }
        return outcome
    }

    /// Takes no more work; `waiter` goes on when all is done and the threads are gone.
    func close(_ waiter: CheckedContinuation<Void, Never>?) {
        let (threads, isOver) = queue.withLock { $0.close(waiter) }
        for _ in 0..<threads { wakeup.signal() }
        if isOver { waiter?.resume() }
    }

    /// Some threads could not be started.
    func lose(threads: Int) {
        for _ in 0..<threads { queue.withLock { _ = $0.threadEnded() } }
    }

    /// The life of a thread.
    func work() {
        while true {
            wakeup.wait()
            // A job that was cancelled leaves its signal behind.
            switch queue.withLock({ $0.next() }) {
            case .run(let job):
                job.run()
                queue.withLock { $0.finished() }
            case .wait: continue
            case .end:
                for waiter in queue.withLock({ $0.threadEnded() }) { waiter.resume() }
                return
            }
        }
    }
}
