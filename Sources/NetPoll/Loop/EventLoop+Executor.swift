// Tasks and actors on a loop.
extension EventLoop: SerialExecutor, TaskExecutor {
    /// Takes a task's job; any thread may call this.
    ///
    /// A job that comes from the loop itself waits in the loop's own ring and runs in the same turn, or
    /// where those were very many in the next; writes are flushed after each
    /// ``Configuration/jobsPerFlushMax`` of them and when the turn ends. One from another thread goes
    /// through the inbox, where a burst costs one wakeup. Neither allocates in steady state. Jobs of a
    /// loop that was shut down still run, one after another, on a thread made for them, so that no
    /// task is left hanging.
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

    /// Runs jobs of tasks, as many as the turn still may.
    func runReady() {
        while readyBudget > 0, let job = ready.pop() {
            readyBudget -= 1
            counters.jobs += 1
            run(job)
            jobsSinceFlush += 1
            if jobsSinceFlush >= configuration.jobsPerFlushMax { flushDirty() }
        }
    }

    /// Runs jobs of tasks, as many as a turn may, where there is no turn any more.
    package func runReadyAtEnd() {
        readyBudget = configuration.jobsPerTurnMax
        runReady()
    }

    /// Whether jobs of tasks wait.
    package var hasReadyTasks: Bool { !ready.isEmpty }

    @inline(__always)
    func run(_ job: LoopJob) {
        if job.isActors {
            job.job.runSynchronously(
                isolatedTo: asUnownedSerialExecutor(), taskExecutor: asUnownedTaskExecutor())
        } else {
            job.job.runSynchronously(on: asUnownedTaskExecutor())
        }
    }

    /// How often jobs and tasks of a stopped loop that bring about others are run before it ends.
    static var lastRoundsMax: Int { 256 }

    /// Runs what was posted before the end, for whose jobs others may wait, and the tasks of the loop;
    /// the last that its own thread does.
    func runLast() {
        var rounds = 0
        repeat {
            runJobs()
            runReadyAtEnd()
            runTurnTargets()
            // Timers that these jobs armed never fire, and may hold the loop. Dropped while the loop
            // is still this thread's: afterwards late jobs run on another.
            dropTimers()
            rounds += 1
            // A job may post itself, or others, again and again until it is refused. What was taken
            // before runs still.
            if rounds >= Self.lastRoundsMax || !hasJobs && ready.isEmpty { inbox.close() }
        } while hasJobs || !ready.isEmpty && rounds < Self.lastRoundsMax
        // A task that yields until something happens goes on as late jobs do.
        guard !ready.isEmpty || !inbox.endLate({ unbind() }) else { return }
        unbind()
        startLateJobs()
    }

    private func runLate(_ job: LoopJob) {
        if inbox.addLate(job) { startLateJobs() }
    }

    private func startLateJobs() {
        do throws(SystemError) {
            try LoopThread.start { self.runLateJobs() }
        } catch {
            // No thread to be had: the caller's own does it.
            runLateJobs()
        }
    }

    /// Runs what came after the loop's own thread ended, as if it were that thread.
    private func runLateJobs() {
        bindToCurrentThread()
        repeat {
            // In turns: a task that yields may wait for what comes from elsewhere.
            var isAnyLeft = true
            while isAnyLeft {
                let (own, late) = (ready.pop(), inbox.takeLate())
                if let own { run(own) }
                if let late { run(late) }
                // No turn comes in which these would be told, as of a connection that was begun.
                runTurnTargets()
                dropTimers()
                isAnyLeft = own != nil || late != nil
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
