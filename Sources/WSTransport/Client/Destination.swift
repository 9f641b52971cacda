public import NetPoll
import WSFrame

extension WebSocketClient {
    /// Where a connection leads.
    public enum Destination: Hashable, Sendable {
        /// A socket's address: TCP, or a Unix socket's path or abstract name.
        case address(SocketAddress)
        /// A host by its name, or by a numeric address without brackets.
        case host(String, port: UInt16)
    }
}

extension WebSocketClient.Destination: CustomStringConvertible {
    public var description: String {
        switch self {
        case .address(let address): "\(address)"
        case .host(let host, let port): host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        }
    }
}
