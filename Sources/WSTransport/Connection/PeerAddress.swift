import NetPoll

/// The address of a peer in eight bytes where it is IPv4; any other takes an object of its own.
enum PeerAddress {
    case v4(UInt32, port: UInt16)
    case other(Box)

    final class Box {
        let address: SocketAddress

        init(_ address: SocketAddress) {
            self.address = address
        }
    }

    init(_ address: SocketAddress) {
        switch address {
        case .v4(let host, let port): self = .v4(host, port: port)
        case .v6, .unix: self = .other(Box(address))
        }
    }

    var address: SocketAddress {
        switch self {
        case .v4(let host, let port): .v4(host, port: port)
        case .other(let box): box.address
        }
    }
}
