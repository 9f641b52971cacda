import NetPoll
import Synchronization

/// The last figures that were gathered, for all who look: however many they are, figures are gathered one
/// after another, and no more often than the interval says.
final class FigureShelf: Sendable {
    private struct State {
        var last: (figures: DashboardFigures, at: Instant)?
        var isGathering = false
    }

    private let interval: Duration
    private let state = Mutex(State())

    init(interval: Duration) {
        self.interval = interval
    }

    /// The last figures; new ones, where those are old and nobody gathers any.
    ///
    /// - Parameters:
    ///   - now: The present.
    ///   - gather: Gathers new ones.
    /// - Returns: `nil` where there are none yet, because somebody else gathers the first.
    func figures(
        at now: Instant, _ gather: () async -> DashboardFigures
    ) async -> DashboardFigures? {
        let isMine = state.withLock { state in
            if state.isGathering { return false }
            if let last = state.last, now - last.at < interval { return false }
            state.isGathering = true
            return true
        }
        guard isMine else { return state.withLock { $0.last?.figures } }
        let figures = await gather()
        state.withLock { state in
            state.last = (figures, now)
            state.isGathering = false
        }
        return figures
    }
}
