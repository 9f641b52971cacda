import NetPoll
import Synchronization

/// Where a pool's connections find their client, while it is there: its lines hold leases, which hold the
/// pool.
final class RPCClientSeat: Sendable {
    /// What connections that are given up wait for.
    enum Patience: Hashable {
        /// The client ends at once.
        case nothing
        /// What runs on them, until the time of a drain is over.
        case until(Instant)
        /// What runs on them.
        case unbounded
    }

    private struct State {
        var lines: LineShelf?
        var patience = Patience.unbounded
    }

    private let state: Mutex<State>

    init(_ lines: LineShelf) {
        state = Mutex(State(lines: lines))
    }

    var patience: Patience { state.withLock { $0.patience } }

    func renew() { state.withLock { $0.lines }?.renew() }

    /// The client drains. The earliest end counts.
    func drain(until end: Instant) {
        state.withLock { state in
            switch state.patience {
            case .nothing: break
            case .until(let earlier): state.patience = .until(min(earlier, end))
            case .unbounded: state.patience = .until(end)
            }
        }
    }

    /// The client ends at once.
    func leave() { state.withLock { $0 = State(patience: .nothing) } }
}
