import Synchronization

/// Chooses the loop of each connection that one loop accepts for all.
///
/// The counts are of this listener's connections, by loop.
final class Balancer: Sendable {
    private struct State {
        var counts: [Int]
        var next = 0
    }

    private let policy: ListenerGroup.Balancing
    private let state: Mutex<State>

    init(_ policy: ListenerGroup.Balancing, loops: Int) {
        self.policy = policy
        state = Mutex(State(counts: .init(repeating: 0, count: loops)))
    }

    /// Chooses a loop and counts the connection there, until it is told of its end.
    func choose(for address: SocketAddress) -> Int {
        state.withLock { state in
            let count = state.counts.count
            let chosen: Int
            switch policy {
            case .kernel, .roundRobin:
                chosen = state.next
                state.next = (state.next + 1) % count
            case .leastConnections:
                // Equals take turns.
                let order = (0..<count).map { ($0 + state.next) % count }
                chosen = order.min { state.counts[$0] < state.counts[$1] } ?? 0
                state.next = (chosen + 1) % count
            case .sourceHash:
                chosen = Int(Self.hash(address) % UInt64(count))
            }
            state.counts[chosen] += 1
            return chosen
        }
    }

    func ended(on loop: Int) {
        state.withLock { $0.counts[loop] -= 1 }
    }

    /// The same for every port of a host, in every process (FNV-1a).
    private static func hash(_ address: SocketAddress) -> UInt64 {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        func mix(_ value: UInt64) {
            for shift in stride(from: 0, to: 64, by: 8) {
                hash = (hash ^ (value >> UInt64(shift) & 0xff)) &* 0x0100_0000_01b3
            }
        }
        switch address {
        case .v4(let raw, _): mix(UInt64(raw))
        case .v6(let high, let low, _, _):
            mix(high)
            mix(low)
        case .unix(let path): for byte in path.utf8 { mix(UInt64(byte)) }
        }
        return hash ^ hash >> 32
    }
}

extension ListenerGroup {
    /// Which loop of a group gets an accepted connection.
    public enum Balancing: Hashable, Sendable {
        /// Every loop has a listening socket and the kernel spreads connections over them by a hash
        /// (SO_REUSEPORT, socket(7)). The cheapest, and the default; a Unix socket, which cannot be
        /// shared so, is served as with ``roundRobin``.
        case kernel
        /// The first loop accepts and hands connections to the loops in turn.
        case roundRobin
        /// The first loop accepts and hands each connection to the loop that has the fewest of the
        /// same listening socket.
        case leastConnections
        /// The first loop accepts; connections from one host are always on the same loop.
        case sourceHash
    }
}
