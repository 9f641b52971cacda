import NetPoll

/// Two hosts of a network, in either order.
struct HostPair: Hashable {
    private let first: SocketAddress
    private let second: SocketAddress

    /// - Returns: `nil` where both are one host, or a Unix socket, which has none.
    init?(_ one: SocketAddress, _ other: SocketAddress) {
        let (one, other) = (one.with(port: 0), other.with(port: 0))
        guard one != other, one.port != nil, other.port != nil else { return nil }
        (first, second) = one.description < other.description ? (one, other) : (other, one)
    }

    func includes(_ host: SocketAddress) -> Bool {
        let host = host.with(port: 0)
        return first == host || second == host
    }
}
