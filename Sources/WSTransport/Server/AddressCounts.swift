package import NetPoll
import Synchronization

/// Counts what each address has open: one IPv4 address, or one /64 of IPv6, which is what a single
/// customer is given.
///
/// Loopback and Unix sockets are not counted: what comes from there is a proxy of this machine, and
/// has its own idea of who its clients are.
package final class AddressCounts: Sendable {
    /// What is counted as one.
    fileprivate struct Network: Hashable, Sendable {
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

    package init(most: Int) {
        self.most = most
    }

    /// Counts one of `address` in; `nil` where there are too many.
    package func admit(_ address: SocketAddress) -> Permit? {
        guard let network = Network(address) else { return Permit(counts: self, network: nil) }
        let isAdmitted = counts.withLock { counts in
            let count = counts[network, default: 0]
            guard count < most else { return false }
            counts[network] = count + 1
            return true
        }
        return isAdmitted ? Permit(counts: self, network: network) : nil
    }

    /// Whether another one of `address` would be admitted now.
    package func hasRoom(for address: SocketAddress) -> Bool {
        guard let network = Network(address) else { return true }
        return counts.withLock { $0[network, default: 0] } < most
    }

    /// Networks with something open.
    package var networks: Int { counts.withLock { $0.count } }

    private func release(_ network: Network) {
        counts.withLock { counts in
            guard let count = counts[network] else { return }
            counts[network] = count > 1 ? count - 1 : nil
        }
    }

    /// A place in the count; given back when it is dropped.
    package struct Permit: ~Copyable {
        private let counts: AddressCounts
        private let network: Network?

        fileprivate init(counts: AddressCounts, network: Network?) {
            self.counts = counts
            self.network = network
        }

        deinit {
            if let network { counts.release(network) }
        }
    }
}
