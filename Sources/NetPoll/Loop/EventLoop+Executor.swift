// Tasks and actors on a loop.
extension EventLoop: SerialExecutor, TaskExecutor {
    /// Takes a task's job; any thread may call this.
    ///
    /// A job that comes from the loop itself waits in the loop's own ring and runs in the same turn,
    /// before its writes are flushed. One from another thread goes through the inbox, where a burst
    /// costs one wakeup. Neither allocates in steady state. Jobs of a loop that was shut down still
    /// run, one after another, on a thread made for them, so that no task is left hanging.
    public func enqueue(_ job: consuming ExecutorJob) {
        enqueue(LoopJob(job: UnownedJob(job), isActors: false))
    }

    /// What actors that live on the loop return as their executor.
    public func asUnownedSerialExecutor() -> UnownedSerialExecutor {
        UnownedSerialExecutor(ordinary: actorExecutor)
    }

    fileprivate func enqueue(_ job: LoopJob) {
        if isCurrent {
            ready.push(job)
        } else if !inbox.post(job) {
            runLate(job)
        }
    }

    /// Traps where the caller is not on this loop.
    public func checkIsolated() { checkCurrent() }

    /// Whether the caller is on this loop.
    public func isIsolatingCurrentContext() -> Bool? { isCurrent }

    /// Runs jobs of tasks, as many as a turn may.
    func runReady() {
        var budget = configuration.jobsPerTurnMax
        while budget > 0, let job = ready.pop() {
            budget -= 1
            counters.jobs += 1
            run(job)
        }
    }

    @inline(__always)
    func run(_ job: LoopJob) {
        if job.isActors {
            job.job.runSynchronously(
                isolatedTo: asUnownedSerialExecutor(), taskExecutor: asUnownedTaskExecutor())
        } else {
            job.job.runSynchronously(on: asUnownedTaskExecutor())
        }
    }

    private func runLate(_ job: LoopJob) {
        guard inbox.addLate(job) else { return }
        do throws(SystemError) {
            try LoopThread.start { self.runLateJobs() }
        } catch {
            // No thread to be had: the poster's own does it.
            runLateJobs()
        }
    }

    /// Runs what came after the loop's own thread ended, as if it were that thread.
    private func runLateJobs() {
        bindToCurrentThread()
        repeat {
            while let job = ready.pop() { run(job) }
            while let job = inbox.takeLate() {
                run(job)
                while let job = ready.pop() { run(job) }
            }
        } while !inbox.endLate { unbind() }
    }
}

/// A loop as the executor of actors, apart from the loop as the executor that tasks prefer: so their
/// jobs can be told apart.
///
/// `@unchecked Sendable`: the loop is set before anybody else has this object, and never again.
final class ActorExecutor: SerialExecutor, @unchecked Sendable {
    // The loop owns this object. Who uses an executor keeps it alive (SE-0392): here, the loop.
    private unowned var loop: EventLoop?

    func serve(_ loop: EventLoop) { self.loop = loop }

    func enqueue(_ job: consuming ExecutorJob) {
        loop?.enqueue(LoopJob(job: UnownedJob(job), isActors: true))
    }

    func checkIsolated() { loop?.checkIsolated() }

    func isIsolatingCurrentContext() -> Bool? { loop?.isIsolatingCurrentContext() }
}
