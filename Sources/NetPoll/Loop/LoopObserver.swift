/// What one turn of a loop did, and how long its work had waited; see ``LoopObserver``.
public struct TurnReport: Hashable, Sendable {
    /// When the turn began, its wait for events being over.
    public var start: Instant
    /// How long it lasted: what everything else on the loop had to wait.
    public var duration = Duration.zero
    /// What the driver delivered: connections, bytes, ends, room for more, failures.
    public var events = 0
    /// Jobs and pieces of tasks that were run.
    public var jobs = 0
    /// Timers that fired.
    public var timers = 0
    /// Connections whose end was carried out.
    public var closes = 0
    /// How long the oldest job that was run had waited in the loop's inbox.
    public var jobAge = Duration.zero
    /// How late the turn came for the timer that was due first.
    public var timerAge = Duration.zero
    /// Jobs that the bound on a turn left for the next one.
    public var jobsLeft = 0
    /// Connections that ended, and whose end the bound on a turn left for the next one.
    public var closesLeft = 0

    init(start: Instant) {
        self.start = start
    }
}

/// Is told of a loop's turns, for metrics; see ``EventLoop/observer``.
public protocol LoopObserver: AnyObject {
    /// A turn is over. Called on the loop after every turn, but for those in which it only looked for
    /// something to do (``EventLoop/Configuration/idlePollTime``): to be quick, and to allocate nothing.
    func turnEnded(_ report: TurnReport, on loop: EventLoop)
}

extension EventLoop {
    /// Is told of turns from the next one on; on the loop only.
    ///
    /// While there is one, a turn reads the clock twice more, and so does the first job posted from
    /// another thread in each. Without one nothing is measured.
    public var observer: (any LoopObserver)? {
        get {
            checkCurrent()
            return turnObserver
        }
        set {
            checkCurrent()
            turnObserver = newValue
            if newValue == nil {
                inbox.stamp(nil)
            } else {
                // The inbox must not keep the loop.
                inbox.stamp { [weak self] in self?.driver.now() ?? Instant(nanoseconds: 0) }
            }
        }
    }

    /// A report of the turn that begins now; `nil` where nobody wants it.
    func beginReport() -> (report: TurnReport, before: LoopMetrics)? {
        guard turnObserver != nil else { return nil }
        var report = TurnReport(start: now)
        if let due = wheel.nextDeadline, due < now { report.timerAge = now - due }
        return (report, counters)
    }

    func endReport(_ begun: (report: TurnReport, before: LoopMetrics)) {
        // The observer may have been taken away within the turn.
        guard let observer = turnObserver else { return }
        var report = begun.report
        let before = begun.before
        report.duration = driver.now() - report.start
        report.events = counters.events - before.events
        report.jobs = counters.jobs - before.jobs
        report.timers = counters.timersFired - before.timersFired
        report.closes = counters.closed - before.closed
        if report.jobs > 0, let since = jobsSince { report.jobAge = report.start - since }
        report.jobsLeft = jobs.count - nextJob + ready.count
        report.closesLeft = doomed.count - firstDoomed
        if nextJob == jobs.count { jobsSince = nil }
        observer.turnEnded(report, on: self)
    }
}
