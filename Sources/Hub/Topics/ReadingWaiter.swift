import Synchronization

/// A task that waits for what a store knows of a topic, until it is cancelled.
final class ReadingWaiter: Sendable {
    private enum State {
        case new
        case waiting(CheckedContinuation<StoreError?, Never>)
        case over(StoreError?)
    }

    private let state = Mutex(State.new)

    /// What ``end(_:)`` said, or says first; a cancelled task waits no more.
    ///
    /// - Returns: Why it was not read; `nil` where it was.
    func answer() async -> StoreError? {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let answer = state.withLock { state -> StoreError?? in
                    if case .over(let answer) = state { return .some(answer) }
                    state = .waiting(continuation)
                    return nil
                }
                if let answer { continuation.resume(returning: answer) }
            }
        } onCancel: {
            end(StoreError(.unavailable, detail: "cancelled"))
        }
    }

    /// Ends the waiting; what is said later is passed over.
    func end(_ answer: StoreError?) {
        let continuation = state.withLock { state -> CheckedContinuation<StoreError?, Never>? in
            switch state {
            case .new:
                state = .over(answer)
                return nil
            case .waiting(let continuation):
                state = .over(answer)
                return continuation
            case .over:
                return nil
            }
        }
        continuation?.resume(returning: answer)
    }
}
