import Synchronization

/// One thread's cycle over sockets, timers and jobs.
///
/// Everything registered with a loop is owned by it and touched on its thread only; nothing of it
/// is locked. Other threads reach it through ``execute(_:)``. A turn runs in this order:
///
///     wait ▶ events ▶ inbox ▶ timers ▶ tasks ▶ end-of-turn targets ▶ flush ▶ closes
///
/// Accepts, reads, jobs and closes per turn are bounded, so that no source starves another.
///
/// `@unchecked Sendable`: only ``execute(_:)``, ``isCurrent``, ``index``, the executor's calls and the
/// group's shutdown are used by other threads, and they touch constants, an atomic and the locked inbox.
/// The rest is the loop's own, and what begins something (listening, connecting, timers) checks
/// ``isCurrent``. What is done for every message does not, such as ``Connection/write(_:)``;
/// a ``Connection`` is not `Sendable`, so that the compiler keeps it on its loop.
public final class EventLoop: @unchecked Sendable {
    /// Bounds of one turn and sizes of a loop's buffers.
    public struct Configuration: Hashable, Sendable {
        /// The buffer every receive goes into, lent to handlers. Default 512 KiB. On io_uring the
        /// kernel receives for streams into buffers of 16 KiB instead, 256 for a loop.
        public var receiveBufferBytes = 512 << 10
        /// The buffer that gathers a turn's writes; when it is full they are flushed early.
        /// Default 256 KiB.
        public var gatherBufferBytes = 256 << 10
        /// The most connections one listener accepts per turn. Default 64.
        public var acceptsPerTurnMax = 64
        /// The most receives on one connection per turn, while each fills the buffer. Default 4. Not
        /// kept on io_uring for streams: there a turn tells all that the kernel has received.
        public var readsPerConnectionMax = 4
        /// The most jobs of other threads per turn, and the most of tasks on the loop. Default 1,024.
        public var jobsPerTurnMax = 1_024
        /// After how many jobs of tasks that were resumed on this loop, within one turn, what was
        /// written so far is sent, so that peers begin with it while the turn goes on; a turn's last
        /// writes are sent at its end, as all others. Default 16.
        public var jobsPerFlushMax = 16
        /// The most timers fired, or moved within the loop's timing wheel, per turn, so that very
        /// many that are due at once starve nobody. Default 8,192.
        public var timersPerTurnMax = 8_192
        /// The most connections whose end is carried out per turn, and that the group's shutdown or a
        /// graceful end closes or aborts. Default 512.
        public var closesPerTurnMax = 512
        /// How long a loop that had something to do looks for more before it sleeps. Default zero: it
        /// sleeps at once.
        ///
        /// What comes meanwhile is spared the time that the kernel takes to wake a thread on an idle
        /// core: some microseconds, tens on virtual machines. While it looks, the loop takes all of a
        /// core, and takes it from other threads where cores are fewer than they.
        public var idlePollTime = Duration.zero

        public init() {}

        /// A turn in which something is never done would end nothing.
        fileprivate func checkBounds() {
            let bounds = [
                ("acceptsPerTurnMax", acceptsPerTurnMax),
                ("readsPerConnectionMax", readsPerConnectionMax),
                ("jobsPerTurnMax", jobsPerTurnMax), ("jobsPerFlushMax", jobsPerFlushMax),
                ("timersPerTurnMax", timersPerTurnMax),
                ("closesPerTurnMax", closesPerTurnMax),
            ]
            for (name, bound) in bounds { precondition(bound > 0, "\(name) of \(bound)") }
            precondition(idlePollTime >= .zero, "idlePollTime of \(idlePollTime)")
        }
    }

    /// The loop's position in its group.
    public let index: Int

    /// The bounds this loop keeps.
    public let configuration: Configuration

    /// The present, read once per turn from the driver's clock; on the loop only.
    @exclusivity(unchecked) public internal(set) var now: Instant {
        didSet { nowMilliseconds = UInt32(truncatingIfNeeded: now.nanoseconds / 1_000_000) }
    }

    /// ``now`` in the 32 bits that connections store; wraps after 49 days.
    @exclusivity(unchecked) package private(set) var nowMilliseconds: UInt32

    // The fields marked `@exclusivity(unchecked)` are used for every message or in every turn, and their
    // dynamic checks cost more than their accesses. They are touched on the loop's thread only, and no
    // access begins while another lasts: each is one call of theirs that runs no handler and no closure of
    // others. What is released within one, as jobs that were run, cannot reach the field: only a turn does.
    @exclusivity(unchecked) var counters = LoopMetrics()

    /// ``Configuration/idlePollTime``, and until when the loop does not sleep.
    private let idlePollNanoseconds: Int64
    private var pollsUntil: Instant

    let driver: any Driver
    let inbox: Inbox
    @exclusivity(unchecked) var slots = SlotTable()
    @exclusivity(unchecked) var gather: GatherBuffer
    @exclusivity(unchecked) var wheel: TimerWheel<any TimerTarget>
    private let randomState: RandomState
    let deadlines = DeadlineTable()

    /// Connections with gathered writes; kept alive by their slots until ``carryOutCloses()``.
    let dirty = DirtyList()
    /// Owners of payloads that were sent or dropped, until the turn ends.
    @exclusivity(unchecked) var released = ReleasedOwners()
    /// Connections whose queues rose above the high watermark in this turn.
    @exclusivity(unchecked) var risen: [Connection] = []
    /// Connections that ended and whose handlers are not told yet.
    @exclusivity(unchecked)
    var doomed: [(connection: Connection?, reason: CloseReason, resets: Bool)] = []
    @exclusivity(unchecked) var firstDoomed = 0
    /// The first of them that may still receive.
    @exclusivity(unchecked) var firstUnmuted = 0
    /// Ends of very many connections that are under way.
    @exclusivity(unchecked) var sweeps: [ConnectionSweep] = []
    @exclusivity(unchecked) var turnTargets: [any TurnTarget] = []
    @exclusivity(unchecked) var spareTargets: [any TurnTarget] = []
    package internal(set) var isStopped = false
    /// Whether connections are being aborted, before it stops.
    var isShuttingDown = false

    /// Jobs of tasks that were resumed on this loop.
    @exclusivity(unchecked) var ready = JobRing()
    /// How many of them this turn may still run.
    @exclusivity(unchecked) var readyBudget = 0
    /// How many of them ran since writes were flushed.
    @exclusivity(unchecked) var jobsSinceFlush = 0
    @exclusivity(unchecked) var inboundBuffers = InboundBufferPool()
    @exclusivity(unchecked) private(set) var jobs: [Inbox.Job] = []
    @exclusivity(unchecked) private(set) var nextJob = 0
    /// When the oldest of them was posted, where an observer wants to know.
    var jobsSince: Instant?
    @exclusivity(unchecked) var turnObserver: (any LoopObserver)?
    private let thread = Atomic<UInt64>(0)
    let actorExecutor = ActorExecutor()
    /// What tasks that serve connections are isolated to.
    package let resident: LoopResident

    /// Where the driver receives into.
    package let receiveBuffer: UnsafeMutableRawBufferPointer
    let segments: UnsafeMutableBufferPointer<Segment>

    package init(
        driver: any Driver, index: Int = 0, configuration: Configuration = .init(),
        seed: UInt64 = 0
    ) {
        precondition(
            configuration.receiveBufferBytes >= 1 << 10,
            "receive buffer of \(configuration.receiveBufferBytes) bytes is below 1024")
        precondition(
            configuration.gatherBufferBytes >= 1 << 10,
            "gather buffer of \(configuration.gatherBufferBytes) bytes is below 1024")
        configuration.checkBounds()
        self.driver = driver
        self.index = index
        self.configuration = configuration
        let now = driver.now()
        self.now = now
        nowMilliseconds = UInt32(truncatingIfNeeded: now.nanoseconds / 1_000_000)
        idlePollNanoseconds = configuration.idlePollTime.inNanoseconds
        pollsUntil = now
        inbox = Inbox(waker: driver.waker)
        gather = GatherBuffer(capacity: configuration.gatherBufferBytes)
        wheel = TimerWheel(now: now)
        randomState = RandomState(seed: seed)
        receiveBuffer = .allocate(byteCount: configuration.receiveBufferBytes, alignment: 64)
        segments = .allocate(capacity: 64)
        resident = LoopResident(actorExecutor)
        actorExecutor.serve(self)
    }

    deinit {
        receiveBuffer.deallocate()
        segments.deallocate()
    }

    /// Whether the caller runs on this loop.
    public var isCurrent: Bool {
        thread.load(ordering: .relaxed) == Platform.currentThread
    }

    /// Random numbers of this loop; any thread may draw.
    package var random: LoopRandom { LoopRandom(randomState) }

    /// The present of the driver's clock; any thread may ask.
    package var clockNow: Instant { driver.now() }

    /// Runs `job` on this loop, after the jobs posted before it. Any thread may call this.
    ///
    /// What is posted before the loop ends runs, and what these jobs post, and so on, for up to 256
    /// rounds; a job that posts itself again until it is refused ends so.
    ///
    /// - Returns: Whether the job will run: `false` once the loop was shut down.
    @discardableResult
    public func execute(_ job: @escaping @Sendable () -> Void) -> Bool {
        inbox.post(job)
    }

    /// Calls `target` once, when this turn's events, jobs and timers are done and before its writes
    /// are flushed: the place to do once per turn what many events asked for.
    public func runAtEndOfTurn(_ target: any TurnTarget) {
        checkCurrent()
        turnTargets.append(target)
    }

    /// The connection that `id` names, while it is not closed.
    public func connection(_ id: ConnectionID) -> Connection? {
        checkCurrent()
        guard Int(id.loopIndex) == index else { return nil }
        let token = Token(slot: Int(id.slot), generation: id.generation, kind: .connection)
        guard let connection = connection(for: token)?.takeUnretainedValue(),
            connection.state != .closed
        else { return nil }
        return connection
    }

    /// What this loop did so far.
    public var metrics: LoopMetrics {
        checkCurrent()
        return counters
    }

    /// How many connections and listeners are registered.
    public var registrations: Int {
        checkCurrent()
        return slots.count
    }

    /// Calls `body` with every connection that is not closed; O(slots).
    package func forEachConnection(_ body: (Connection) -> Void) {
        checkCurrent()
        for token in slots.tokens(.connection) {
            guard let connection = connection(for: token)?.takeUnretainedValue(),
                connection.state != .closed
            else { continue }
            body(connection)
        }
    }

    func checkCurrent() {
        precondition(isCurrent, "event loop \(index) was used from a thread that is not its own")
    }

    // MARK: - Turns

    /// Makes the calling thread the loop's own.
    package func bindToCurrentThread() {
        thread.store(Platform.currentThread, ordering: .relaxed)
    }

    /// Brings ``now`` up to date, for who runs the turns and acts between them.
    package func readClock() { now = driver.now() }

    /// Runs turns until the loop is stopped.
    func run() {
        bindToCurrentThread()
        while !isStopped {
            turn(until: nil)
        }
        runLast()
    }

    /// The thread is the loop's no longer.
    func unbind() { thread.store(0, ordering: .relaxed) }

    /// Runs one turn, waiting for events no longer than until `limit` (`nil`: no limit).
    package func turn(until limit: Instant?) {
        let hadWork = idlePollNanoseconds > 0 && hasWork
        let isLook = !hadWork && now < pollsUntil
        do {
            try driver.wait(until: sleepEnd(limit))
        } catch {
            preconditionFailure("event loop \(index) cannot wait for events: \(error)")
        }
        now = driver.now()
        counters.turns += 1
        let doneBefore = done
        readyBudget = configuration.jobsPerTurnMax
        let begun = beginReport()
        if !sweeps.isEmpty { advanceSweeps() }
        driver.deliver(to: self)
        runJobs()
        fireTimers()
        runReady()
        runTurnTargets()
        flushDirty()
        tellRisen()
        carryOutCloses()
        if !released.isEmpty { releaseOwners() }
        if idlePollNanoseconds > 0 {
            if hadWork || done != doneBefore {
                pollsUntil = now + .nanoseconds(idlePollNanoseconds)
            } else if isLook {
                // It looked for something to do, and found nothing.
                counters.turns -= 1
                return
            }
        }
        if let begun { endReport(begun) }
    }

    /// What the driver, other threads and timers gave turns to do so far, and how many connections ended.
    private var done: Int {
        counters.events &+ counters.jobs &+ counters.timersFired &+ counters.closed
    }

    /// Whether a turn has something to do before any event or timer.
    package var hasWork: Bool {
        hasJobs || firstDoomed < doomed.count || !dirty.isEmpty
            || !turnTargets.isEmpty || !risen.isEmpty || !ready.isEmpty || !sweeps.isEmpty
            || !released.isEmpty
    }

    /// Bytes that were written and neither sent nor queued yet.
    package var gatheredBytes: Int { gather.used }

    /// Inbound buffers that tasks have not given back.
    package var buffersLent: Int { inboundBuffers.lentCount() }

    /// The memory of inbound buffers that is kept to be used again.
    package var inboundBytesKept: Int { inboundBuffers.keptBytes }

    /// When the next timer is due.
    package var nextTimer: Instant? { wheel.nextDeadline }

    /// Until when the next turn waits for events; in the past where it does not.
    package func sleepEnd(_ limit: Instant?) -> Instant? {
        if hasWork || now < pollsUntil { return now }
        guard let timer = wheel.nextDeadline else { return limit }
        guard let limit else { return timer }
        return min(timer, limit)
    }

    /// Whether jobs wait that were taken from the inbox, or may be.
    var hasJobs: Bool { nextJob < jobs.count || !inbox.isEmpty }

    func runJobs() {
        if nextJob == jobs.count {
            if inbox.isEmpty { return }
            let since = inbox.take(into: &jobs)
            if jobsSince == nil { jobsSince = since }
            nextJob = 0
        }
        let end = nextJob + min(jobs.count - nextJob, configuration.jobsPerTurnMax)
        counters.jobs += end - nextJob
        while nextJob < end {
            let job = jobs[nextJob]
            nextJob += 1
            switch job {
            case .call(let body): body()
            case .task(let task): run(task)
            }
        }
        // Dropped at once: a job may hold what its poster wants to see released.
        if nextJob == jobs.count {
            jobs.removeAll(keepingCapacity: jobs.capacity <= 4_096)
            nextJob = 0
        }
    }

    func runTurnTargets() {
        // A target that asks again is called in this turn too, so that what it wrote is flushed.
        var rounds = 0
        while !turnTargets.isEmpty, rounds < 8 {
            swap(&turnTargets, &spareTargets)
            for index in 0..<spareTargets.count { spareTargets[index].turnEnded(on: self) }
            spareTargets.removeAll(keepingCapacity: true)
            rounds += 1
        }
    }
}

/// Is called once at the end of a turn; see ``EventLoop/runAtEndOfTurn(_:)``.
public protocol TurnTarget: AnyObject {
    func turnEnded(on loop: EventLoop)
}
