/// How a pool makes, keeps and closes its connections.
///
/// ```swift
/// let connector = PoolConnector { reporter in
///     let client = try await Client.connect(to: address)
///     client.onClose = { reporter.closed() }
///     return client
/// } close: { client, reason in
///     await client.close()
/// }
/// ```
public struct PoolConnector<Connection: Sendable>: Sendable {
    /// Makes a connection. The task is cancelled where nobody needs it any more, or after
    /// ``PoolConfiguration/dialTimeout``.
    ///
    /// The connection keeps the reporter and tells it what happens to it.
    public var connect: @Sendable (ConnectionReporter) async throws -> Connection

    /// Closes a connection that the pool gave up. Called once for each, and never while a lease of it
    /// is out, but where the pool was closed by force.
    public var close: @Sendable (Connection, PoolCloseReason) async -> Void

    /// Asks the peer whether it is still there; for idle connections, every
    /// ``PoolConfiguration/keepAliveInterval``. One that throws is closed. `nil`, the default: none.
    public var keepAlive: (@Sendable (Connection) async throws -> Void)?

    /// Says of a connection that was idle whether it may be leased; one that may not is replaced
    /// without the caller's noticing. Must not block. `nil`, the default: all may.
    public var isHealthy: (@Sendable (Connection) -> Bool)?

    /// Says whether an error that a body threw means that the connection was dead when it was leased
    /// or died meanwhile, beyond what was reported to the ``ConnectionReporter``; see
    /// ``PoolRetry/onStale``. `nil`, the default: none does.
    public var isStale: (@Sendable (any Error) -> Bool)?

    public init(
        connect: @escaping @Sendable (ConnectionReporter) async throws -> Connection,
        close: @escaping @Sendable (Connection, PoolCloseReason) async -> Void
    ) {
        self.connect = connect
        self.close = close
    }
}

/// Hands a pool's wishes to a connector.
final class ConnectorBackend<Connection: Sendable>: PoolBackend {
    private let connector: PoolConnector<Connection>

    init(_ connector: PoolConnector<Connection>) {
        self.connector = connector
    }

    var runsKeepAlives: Bool { connector.keepAlive != nil }
    var checksHealth: Bool { connector.isHealthy != nil }

    func connect(_ reporter: ConnectionReporter) async throws -> PooledObject {
        PooledConnection(try await connector.connect(reporter))
    }

    func close(_ connection: PooledObject, _ reason: PoolCloseReason) async {
        await connector.close(Self.typed(connection), reason)
    }

    func keepAlive(_ connection: PooledObject) async throws {
        try await connector.keepAlive?(Self.typed(connection))
    }

    func isHealthy(_ connection: PooledObject) -> Bool {
        connector.isHealthy?(Self.typed(connection)) ?? true
    }

    /// All objects of a pool come from ``connect(_:)`` of its one backend.
    @inline(__always)
    static func typed(_ object: PooledObject) -> Connection {
        unsafeDowncast(object, to: PooledConnection<Connection>.self).connection
    }
}
