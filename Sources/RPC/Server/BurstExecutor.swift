import NetPoll
import Synchronization

/// Runs tasks on the threads of the global pool, a burst of jobs at a time.
///
/// The global pool is woken for every job. Here the first job of a burst wakes one of its threads,
/// which runs what waits, one job after another; it wakes a further one where what waits would take it
/// longer than waking takes. A burst that a loop adds between ``beginBurst()`` and
/// ``endBurst()`` costs one wake at its end, and the loop is told of the replies when the jobs are
/// done, or now and then meanwhile. A job that comes while another takes its time would wait for that
/// one's end, and so would a reply: a thread that watches the queue, as long as there is one, wakes a
/// further thread of the pool where nothing moved for ``watchMicroseconds``, and tells of replies.
final class BurstExecutor: TaskExecutor {
    static let shared = BurstExecutor(
        threadsMax: max(2, EventLoopGroup.Configuration().loops))

    private struct State {
        var jobs = JobQueue()
        /// Runners that do not wait in ``idle``.
        var running = 0
        /// Runners that wait to be woken.
        var idle: [UnsafeContinuation<Void, Never>] = []
        /// How many jobs were begun.
        var begun = 0
        var isWatched = false
        /// There is no thread to be had for that.
        var isUnwatchable = false
        /// What jobs took of late, on average.
        var jobNanoseconds: Int64 = 0
        /// How many loops are adding a burst.
        var bursts = 0
        /// Where replies wait whose loops are still to be told.
        var untold: [LoopMailbox] = []
    }

    /// How long a job may wait while a thread of the pool may be free.
    private static let watchMicroseconds = 1_000
    /// How long replies may wait while short jobs run.
    private static let tellingNanoseconds: Int64 = 25_000
    /// A further thread is woken where what waits would take longer.
    private static let queueNanosecondsMax: Int64 = 100_000
    /// No job counts for more in the average.
    private static let jobNanosecondsMax: Int64 = 10_000_000
    /// How often the watch looks at an empty queue before it rests.
    private static let idleLooksMax = 100

    private enum Wake {
        case none
        case idle(UnsafeContinuation<Void, Never>)
        case new
    }

    private let threadsMax: Int
    private let state = Mutex(State())
    private let watched = Semaphore()

    init(threadsMax: Int) {
        self.threadsMax = threadsMax
        // Both live as long as the process, as the pool's own threads do.
        do throws(SystemError) {
            try LoopThread.start { self.watch() }
        } catch {
            // No thread to be had: jobs may wait for one another.
            state.withLock { state in
                state.isWatched = true
                state.isUnwatchable = true
            }
        }
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        let (wake, watches) = state.withLock { state -> (Wake, Bool) in
            state.jobs.push(job)
            guard state.running > 0 else {
                return (state.bursts > 0 ? .none : Self.begin(&state), false)
            }
            guard !state.isWatched, state.running < threadsMax else { return (.none, false) }
            state.isWatched = true
            return (.none, true)
        }
        if watches { watched.signal() }
        carryOut(wake)
    }

    /// A loop adds jobs one behind the other: nobody is woken for them before ``endBurst()``, which
    /// has to follow soon.
    func beginBurst() { state.withLock { $0.bursts += 1 } }

    func endBurst() {
        let wake = state.withLock { state -> Wake in
            state.bursts -= 1
            guard !state.jobs.isEmpty, state.running == 0 else { return .none }
            return Self.begin(&state)
        }
        carryOut(wake)
    }

    /// Has a loop told of a reply of one of the jobs here.
    func tellSoon(_ mailbox: LoopMailbox) {
        let (isNow, watches) = state.withLock { state in
            // Where nothing waits, this was the last job of its burst.
            guard state.running > 0, !state.jobs.isEmpty, !state.isUnwatchable else {
                return (true, false)
            }
            state.untold.append(mailbox)
            defer { state.isWatched = true }
            return (false, !state.isWatched)
        }
        if watches { watched.signal() }
        if isNow { mailbox.announce() }
    }

    private func tell(_ mailboxes: inout [LoopMailbox]) {
        for mailbox in mailboxes { mailbox.announce() }
        mailboxes.removeAll(keepingCapacity: true)
    }

    private func watch() {
        var mailboxes: [LoopMailbox] = []
        while true {
            watched.wait()
            var begun = -1
            var idleLooks = 0
            while idleLooks < Self.idleLooksMax {
                let wake = state.withLock { state -> Wake in
                    defer { begun = state.begun }
                    if state.begun == begun { swap(&state.untold, &mailboxes) }
                    guard !state.jobs.isEmpty || !state.untold.isEmpty else {
                        idleLooks += 1
                        if idleLooks == Self.idleLooksMax { state.isWatched = false }
                        return .none
                    }
                    idleLooks = 0
                    guard !state.jobs.isEmpty, state.begun == begun, state.running < threadsMax
                    else { return .none }
                    return Self.begin(&state)
                }
                carryOut(wake)
                tell(&mailboxes)
                LoopThread.pause(microseconds: Self.watchMicroseconds)
            }
        }
    }

    private static func begin(_ state: inout State) -> Wake {
        state.running += 1
        if let runner = state.idle.popLast() { return .idle(runner) }
        return .new
    }

    private func carryOut(_ wake: Wake) {
        switch wake {
        case .none: break
        case .idle(let runner): runner.resume()
        // It lives as long as this executor, as one of at most `threadsMax`.
        case .new: Task.detached { await self.run() }
        }
    }

    private func run() async {
        // Kept for its memory.
        var mailboxes: [LoopMailbox] = []
        while true {
            runJobs(&mailboxes)
            await withUnsafeContinuation { (runner: UnsafeContinuation<Void, Never>) in
                let hasWork = state.withLock { state in
                    // A job may have come since the last look.
                    guard state.jobs.isEmpty else { return true }
                    state.running -= 1
                    state.idle.append(runner)
                    return false
                }
                if hasWork { runner.resume() }
            }
        }
    }

    private func runJobs(_ mailboxes: inout [LoopMailbox]) {
        var told = Platform.monotonicNow.nanoseconds
        var began: Int64?
        while true {
            let now = Platform.monotonicNow.nanoseconds
            let taken = began.map { min(now - $0, Self.jobNanosecondsMax) }
            let isDue = now - told >= Self.tellingNanoseconds
            let (job, wake) = state.withLock { state -> (UnownedJob?, Wake) in
                if let taken { state.jobNanoseconds += (taken - state.jobNanoseconds) / 8 }
                let job = state.jobs.pop()
                if job == nil || isDue { swap(&state.untold, &mailboxes) }
                guard let job else { return (nil, .none) }
                state.begun &+= 1
                let queued = Int64(state.jobs.count) * state.jobNanoseconds
                guard queued > Self.queueNanosecondsMax, state.running < threadsMax else {
                    return (job, .none)
                }
                return (job, Self.begin(&state))
            }
            carryOut(wake)
            if isDue { told = now }
            began = mailboxes.isEmpty ? now : nil
            tell(&mailboxes)
            guard let job else { return }
            job.runSynchronously(on: asUnownedTaskExecutor())
        }
    }
}

/// Jobs, first in, first out; a ring that doubles when it is full and is then kept.
private struct JobQueue: Sendable {
    private var ring: [UnownedJob?] = .init(repeating: nil, count: 64)
    private var first = 0
    private(set) var count = 0

    var isEmpty: Bool { count == 0 }

    mutating func push(_ job: UnownedJob) {
        if count == ring.count {
            let ordered = ring[first...] + ring[..<first]
            ring = Array(ordered) + .init(repeating: nil, count: count)
            first = 0
        }
        ring[(first + count) & (ring.count - 1)] = job
        count += 1
    }

    mutating func pop() -> UnownedJob? {
        guard count > 0 else { return nil }
        defer {
            first = (first + 1) & (ring.count - 1)
            count -= 1
        }
        return ring[first]
    }
}
