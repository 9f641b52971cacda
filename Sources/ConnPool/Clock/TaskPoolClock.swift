internal import NetPoll
internal import Synchronization

/// A clock of Swift's, or the system's, with a task that sleeps until the next moment.
final class TaskPoolClock: PoolClock {
    private struct State {
        var moment = Instant.never
        var task: Task<Void, Never>?
    }

    let isSystems: Bool
    private let read: @Sendable () -> Instant
    private let sleep: @Sendable (Duration) async throws -> Void
    private let state = Mutex(State())

    /// The system's monotonic clock, as loops use it.
    init() {
        isSystems = true
        read = { Platform.monotonicNow }
        sleep = { try await Task.sleep(for: $0, clock: .continuous) }
    }

    /// Any clock; its origin is now.
    init(_ clock: some Clock<Duration>) {
        isSystems = false
        let origin = clock.now
        read = { Instant(nanoseconds: origin.duration(to: clock.now).inNanoseconds) }
        sleep = { try await clock.sleep(for: $0) }
    }

    var now: Instant { read() }

    func wake(_ target: any PoolWakeTarget, at moment: Instant) {
        let earlier = state.withLock { state -> Task<Void, Never>? in
            guard moment < state.moment else { return nil }
            state.moment = moment
            let replaced = state.task
            state.task = Task.detached { [weak self] in await self?.run(target, until: moment) }
            return replaced
        }
        earlier?.cancel()
    }

    func stop() {
        let task = state.withLock { state in
            state.moment = .never
            defer { state.task = nil }
            return state.task
        }
        task?.cancel()
    }

    private func run(_ target: any PoolWakeTarget, until moment: Instant) async {
        let left = moment - now
        // Cancelled where an earlier moment was asked for, which has a task of its own.
        if left > .zero { try? await sleep(left) }
        let isCurrent = state.withLock { state in
            guard state.moment == moment, !Task.isCancelled else { return false }
            state.moment = .never
            state.task = nil
            return true
        }
        if isCurrent { target.woken() }
    }
}
