public import NetPoll

/// A pool of TCP or Unix socket connections to one endpoint.
///
/// ```swift
/// let pool = TCPConnectionPool(to: .host("db.example", port: 5432), on: group.loops)
/// let reply = try await pool.withConnection { connection in
///     try await connection.write("PING\n")
///     return try await connection.inbound.first { _ in true }
/// }
/// ```
///
/// Idle connections stay registered with their loops: one that the peer closes leaves the pool at
/// once, and so does one that brings bytes nobody asked for, or comes back with some unread.
public typealias TCPConnectionPool = ConnectionPool<AsyncConnection>

/// Where a pool connects to.
public enum TCPEndpoint: Hashable, Sendable {
    case address(SocketAddress)
    /// A host by name, resolved for each dial, whose addresses are tried as RFC 8305 says (Happy
    /// Eyeballs).
    case host(String, port: UInt16)
}

/// The settings that a ``TCPConnectionPool`` has beyond those of every pool.
public struct TCPPoolConfiguration: Sendable {
    /// What becomes of an idle connection that brings bytes.
    public enum UnaskedPolicy: Hashable, Sendable {
        /// It is closed: late answers must not reach another.
        case close
        /// They wait for who leases it next: for protocols in which the server speaks of itself.
        case keep
    }

    /// The settings of sockets and connecting, but for the timeout, which is
    /// ``PoolConfiguration/dialTimeout``.
    public var connect = ConnectConfiguration()
    /// Default ``UnaskedPolicy/close``.
    public var unasked = UnaskedPolicy.close
    /// Finds the addresses of hosts. Default: the system's.
    public var resolver: any Resolver = SystemResolver.shared
    /// How often a host's addresses are looked up beside the dials; where they changed, the
    /// connections are replaced one after another as they come back. `nil`, the default: never.
    public var refreshInterval: Duration?
    /// Makes a new connection ready, for example by authentication; part of the dial. It must take in
    /// what the server says of itself. Default: nothing.
    public var prepare: (@Sendable (AsyncConnection) async throws -> Void)?
    /// Asks the peer whether it is there; see ``PoolConnector/keepAlive``. Default: nothing.
    public var keepAlive: (@Sendable (AsyncConnection) async throws -> Void)?

    public init() {}
}

extension ConnectionPool where Connection == AsyncConnection {
    /// Makes a pool of connections to `endpoint`.
    ///
    /// - Parameters:
    ///   - endpoint: Where to connect.
    ///   - loops: The loops that own the connections, in turn; the pool's own timers and tasks are
    ///     the first one's.
    ///   - configuration: Limits and times.
    ///   - tcp: The settings of sockets, names and preparation.
    /// - Precondition: There is a loop, and the configuration's values make sense.
    public convenience init(
        to endpoint: TCPEndpoint, on loops: [EventLoop],
        configuration: PoolConfiguration = .init(), tcp: TCPPoolConfiguration = .init()
    ) {
        precondition(!loops.isEmpty, "a pool on no loop")
        let backend = TCPBackend(endpoint, loops, configuration, tcp)
        var random = loops[0].random
        let driver = PoolDriver(
            configuration, backend, LoopPoolClock(loops[0]), executor: loops[0],
            seed: random.next())
        self.init(driver: driver) { $0 is ConnectionError }
        backend.watchAddresses(driver)
    }
}
