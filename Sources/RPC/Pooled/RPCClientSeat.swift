import NetPoll
import Synchronization

/// Where a pool's connections find their client, while it is there: its lines hold leases, which hold the
/// pool. It knows those that were given up, too, which the pool does not.
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
        /// Connections that were given up, and whose calls go on.
        var leaving: [PeerConnection] = []
    }

    private let state: Mutex<State>

    init(_ lines: LineShelf) {
        state = Mutex(State(lines: lines))
    }

    func renew() { state.withLock { $0.lines }?.renew() }

    // MARK: - Connections, on their loops

    /// A connection was given up whose calls go on.
    func gaveUp(_ peer: PeerConnection) {
        let patience = state.withLock { state in
            if state.patience != .nothing { state.leaving.append(peer) }
            return state.patience
        }
        Self.bound(peer, patience)
    }

    /// A connection has ended, given up or not.
    func closed(_ peer: PeerConnection) {
        state.withLock { $0.leaving.removeAll { $0 === peer } }
        renew()
    }

    private static func bound(_ peer: PeerConnection, _ patience: Patience) {
        guard !peer.isClosed else { return }
        switch patience {
        case .nothing: peer.connection.abort()
        case .until(let end):
            peer.loop.schedule(after: max(.zero, end - peer.loop.now), DrainEnd(peer))
        case .unbounded: break
        }
    }

    // MARK: - The client

    /// The client drains. The earliest end counts.
    func drain(until end: Instant) {
        let (leaving, patience) = state.withLock { state -> ([PeerConnection], Patience) in
            switch state.patience {
            case .nothing: return ([], .nothing)
            case .until(let earlier) where earlier <= end: return ([], state.patience)
            case .until, .unbounded: state.patience = .until(end)
            }
            return (state.leaving, state.patience)
        }
        bound(leaving, patience)
    }

    /// Nobody uses the client any more: it ends at once, but for what its drain waits for.
    func letGo() {
        let isDraining = state.withLock { state in
            guard case .until = state.patience else { return false }
            state.lines = nil
            return true
        }
        if !isDraining { leave() }
    }

    /// The client ends at once.
    func leave() {
        let leaving = state.withLock { state in
            defer { state = State(patience: .nothing) }
            return state.leaving
        }
        bound(leaving, .nothing)
    }

    private func bound(_ leaving: [PeerConnection], _ patience: Patience) {
        for peer in leaving { peer.loop.execute { Self.bound(peer, patience) } }
    }
}

/// The time of a drain is over: what nobody here awaits has to end, too.
private final class DrainEnd: TimerTarget {
    private weak let peer: PeerConnection?

    init(_ peer: PeerConnection) {
        self.peer = peer
    }

    func timerFired(_ id: TimerID, on loop: EventLoop) {
        guard let peer, !peer.isClosed else { return }
        peer.connection.abort()
    }
}
