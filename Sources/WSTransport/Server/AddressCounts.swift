import NetPoll
import Synchronization

/// Counts what each address has open: one IPv4 address, or one /64 of IPv6, which is what a single
/// customer is given.
///
/// Loopback and Unix sockets are not counted: what comes from there is a proxy of this machine, and
/// has its own idea of who its clients are.
final class AddressCounts: Sendable {
    /// What is counted as one.
    struct Network: Hashable, Sendable {
        // No IPv6 network begins with these bits.
        private static let v4Prefix: UInt64 = 0xffff_ffff_0000_0000

        private let bits: UInt64

        /// `nil` for what is not counted.
        init?(_ address: SocketAddress) {
            if let host = address.v4Bits {
                guard host >> 24 != 127 else { return nil }
                bits = Self.v4Prefix | UInt64(host)
            } else if let (high, low) = address.v6Bits {
                guard high != 0 || low != 1 else { return nil }
                bits = high
            } else {
                return nil
            }
        }
    }

    private let most: Int
    private let counts = Mutex<[Network: Int]>([:])

    init(most: Int) {
        self.most = most
    }

    /// Counts one in; `false` where there are too many.
    func take(_ network: Network) -> Bool {
        counts.withLock { counts in
            let count = counts[network, default: 0]
            guard count < most else { return false }
            counts[network] = count + 1
            return true
        }
    }

    func giveBack(_ network: Network) {
        counts.withLock { counts in
            guard let count = counts[network] else { return }
            counts[network] = count > 1 ? count - 1 : nil
        }
    }
}
