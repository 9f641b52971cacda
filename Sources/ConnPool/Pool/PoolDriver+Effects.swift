internal import NetPoll
internal import Synchronization

// What follows when the lock was let go of.
extension PoolDriver {
    func carryOut(_ effects: PoolEffects) {
        effects.forEach { effect in
            switch effect {
            case .resume(let continuation, let outcome): continuation.resume(returning: outcome)
            case .dial(let id): dial(id)
            case .cancel(let task): task.cancel()
            case .probe(let id, let object): probe(id, object)
            case .close(let id, let object, let reason): close(id, object, reason)
            case .tell(let event): events.tell(event)
            case .finish(let enders):
                clock.stop()
                backend.ended()
                events.tell(.closed)
                events.finish()
                for ender in enders { ender.resume() }
            }
        }
        if let moment = effects.wakeAt { clock.wake(self, at: moment) }
    }

    /// A dial belongs to the pool: no caller's cancellation reaches it.
    private func dial(_ id: PooledConnectionID) {
        events.tell(.dialling(id))
        run(id) { [self] in
            do {
                established(id, try await backend.connect(ConnectionReporter(driver: self, id: id)))
            } catch {
                dialFailed(id, error)
            }
        }
    }

    private func established(_ id: PooledConnectionID, _ object: PooledObject) {
        let isTaken = feed { $0.established(id, object, $1, into: &$2) }
        if isTaken { return events.tell(.established(id)) }
        Task.detached(executorPreference: executor) { [backend] in
            await backend.close(object, .surplus)
        }
    }

    private func dialFailed(_ id: PooledConnectionID, _ error: any Error) {
        let isFailure = feed { $0.dialFailed(id, error, $1, into: &$2) }
        // One that was given up did not fail.
        if isFailure { events.tell(.dialFailed(id, error)) }
        // Neither dials nor timers work any more.
        if (error as? ConnectError)?.reason == .shutdown { close() }
    }

    private func probe(_ id: PooledConnectionID, _ object: PooledObject) {
        run(id) { [self] in
            let answers: Bool
            do {
                try await backend.keepAlive(object)
                answers = true
            } catch {
                answers = false
            }
            report(id) { core, id, now, actions in
                if answers {
                    core.probeSucceeded(id, now: now, into: &actions)
                } else {
                    core.probeFailed(id, now: now, into: &actions)
                }
            }
        }
    }

    private func close(
        _ id: PooledConnectionID, _ object: PooledObject, _ reason: PoolCloseReason
    ) {
        events.tell(.closing(id, reason))
        Task.detached(executorPreference: executor) { [self] in
            await backend.close(object, reason)
            report(id) { $0.closed($1, now: $2, into: &$3) }
        }
    }

    /// Runs a task that is cancelled where its outcome is not wanted any more. It inherits nothing
    /// of the caller that happened to cause it.
    private func run(
        _ id: PooledConnectionID, _ body: @escaping @Sendable () async -> Void
    ) {
        let task = Task.detached(executorPreference: executor) { await body() }
        let isWanted = state.withLock { $0.keep(task, of: id) }
        if !isWanted { task.cancel() }
    }
}

extension PoolDriver: PoolWakeTarget {
    func clockEnded() {
        close()
        // No time passes any more that could bound what is being closed.
        feed { $0.core.closesGivenUp(into: &$2) }
    }

    func woken() {
        let overdue = feed { $0.woken(now: $1, into: &$2) }
        for lease in overdue { events.tell(.leaseOverdue(lease)) }
    }
}
