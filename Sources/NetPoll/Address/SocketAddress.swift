/// The address of a socket: numeric IP with a port, or a Unix socket's path.
///
/// Names are not resolved here.
public enum SocketAddress: Hashable, Sendable {
    /// An IPv4 address in network order and its port.
    case v4(UInt32, port: UInt16)
    /// An IPv6 address as two big-endian halves, its port, and the scope of a link-local address
    /// (RFC 4007), 0 for none.
    case v6(UInt64, UInt64, port: UInt16, scope: UInt32)
    /// The path of a Unix socket, empty for an unnamed peer; see ``abstract(_:)``. A longer one than 107
    /// bytes fails with ENAMETOOLONG where it is used, one with a zero byte in it with EINVAL.
    ///
    /// Listening makes the file, and fails where somebody listens there already.
    case unix(path: String)

    /// The address of a numeric host such as `127.0.0.1` or `::1`.
    ///
    /// - Throws: ``SocketAddressError`` where `host` is not numeric.
    public init(host: String, port: UInt16) throws(SocketAddressError) {
        guard let address = Platform.parse(host: host, port: port) else {
            throw SocketAddressError(host: host)
        }
        self = address
    }

    /// A Unix socket's abstract name, which is no file and ends with its socket (Linux, unix(7)).
    public static func abstract(_ name: String) -> SocketAddress { .unix(path: "\0" + name) }

    /// The port; `nil` for a Unix socket.
    public var port: UInt16? {
        switch self {
        case .v4(_, let port), .v6(_, _, let port, _): port
        case .unix: nil
        }
    }

    /// The same address with another port; a Unix socket's is returned as it is.
    public func with(port: UInt16) -> SocketAddress {
        switch self {
        case .v4(let address, _): .v4(address, port: port)
        case .v6(let high, let low, _, let scope): .v6(high, low, port: port, scope: scope)
        case .unix: self
        }
    }

    /// The host without the port, in its usual text form; a Unix socket's path, `@` and the
    /// name of an abstract one.
    public var host: String { Platform.format(host: self) }
}

/// A host that is not a numeric IPv4 or IPv6 address.
public struct SocketAddressError: Error, Hashable, Sendable, CustomStringConvertible {
    public let host: String

    public var description: String { "\"\(host)\" is not a numeric IPv4 or IPv6 address" }
}

extension SocketAddress: CustomStringConvertible {
    public var description: String {
        switch self {
        case .v4(_, let port): "\(host):\(port)"
        case .v6(_, _, let port, _): "[\(host)]:\(port)"
        case .unix: "unix:\(host)"
        }
    }
}
