import NetPoll
import Synchronization

/// Counts connections per address: one IPv4 address, or one /64 of IPv6, which is what a single
/// customer is given.
///
/// Loopback and Unix sockets are not counted: what comes from there is a proxy of this machine, and
/// has its own idea of who its clients are.
final class AddressLimiter: Sendable {
    private let connectionsMax: Int
    private let counts = Mutex<[Network: Int]>([:])

    init(connectionsMax: Int) {
        self.connectionsMax = connectionsMax
    }

    /// Counts a connection from `address` in; `nil` where there are too many.
    func admit(_ address: SocketAddress) -> Permit? {
        guard let network = Network(address) else { return Permit(limiter: self, network: nil) }
        let admitted = counts.withLock { counts in
            guard counts[network, default: 0] < connectionsMax else { return false }
            counts[network, default: 0] += 1
            return true
        }
        return admitted ? Permit(limiter: self, network: network) : nil
    }

    /// Networks with connections.
    var networks: Int {
        counts.withLock { $0.count }
    }

    private func release(_ network: Network) {
        counts.withLock { counts in
            guard let count = counts[network] else { return }
            counts[network] = count > 1 ? count - 1 : nil
        }
    }

    /// A connection's place in the count; given back when it is dropped.
    struct Permit: ~Copyable {
        private let limiter: AddressLimiter
        private let network: Network?

        fileprivate init(limiter: AddressLimiter, network: Network?) {
            self.limiter = limiter
            self.network = network
        }

        deinit {
            if let network { limiter.release(network) }
        }
    }

    fileprivate struct Network: Hashable {
        private static let mappedPrefix: UInt64 = 0xffff
        // No IPv6 network begins with these bits.
        private static let v4Prefix: UInt64 = 0xffff_ffff_0000_0000

        private let bits: UInt64

        /// `nil` for what is not counted.
        init?(_ address: SocketAddress) {
            switch address {
            case .v4(let address, _):
                guard let network = Self.network(v4: UInt32(bigEndian: address)) else { return nil }
                bits = network
            case .v6(0, 1, _, _), .unix:
                return nil
            case .v6(0, let low, _, _) where low >> 32 == Self.mappedPrefix:
                guard let network = Self.network(v4: UInt32(truncatingIfNeeded: low)) else {
                    return nil
                }
                bits = network
            case .v6(let high, _, _, _):
                bits = high
            }
        }

        private static func network(v4 address: UInt32) -> UInt64? {
            address >> 24 == 127 ? nil : v4Prefix | UInt64(address)
        }
    }
}
