internal import NetPoll
internal import Synchronization

/// Dials, watches and closes the connections of a ``TCPConnectionPool``.
final class TCPBackend: PoolBackend {
    private let endpoint: TCPEndpoint
    private let loops: [EventLoop]
    private let configuration: TCPPoolConfiguration
    private let nextLoop = Atomic<Int>(0)
    private let watch: AddressWatch?

    init(
        _ endpoint: TCPEndpoint, _ loops: [EventLoop], _ pool: PoolConfiguration,
        _ configuration: TCPPoolConfiguration
    ) {
        self.endpoint = endpoint
        self.loops = loops
        var configuration = configuration
        configuration.connect.limits.leaveRoomForTasks()
        configuration.connect.timeout = pool.dialTimeout
        self.configuration = configuration
        if case .host(let host, let port) = endpoint, let interval = configuration.refreshInterval {
            watch = AddressWatch(
                host: host, port: port, resolver: configuration.resolver, interval: interval,
                loop: loops[0])
        } else {
            watch = nil
        }
    }

    var runsKeepAlives: Bool { configuration.keepAlive != nil }
    var checksHealth: Bool { false }

    func connect(_ reporter: ConnectionReporter) async throws -> PooledObject {
        let index = nextLoop.wrappingAdd(1, ordering: .relaxed).oldValue
        let loop = loops[Int(UInt(bitPattern: index) % UInt(loops.count))]
        let (endpoint, tellsUnasked) = (endpoint, configuration.unasked == .close)
        let dial = EndpointDial(
            to: endpoint, on: loop, configuration.connect, configuration.resolver
        ) { connected in
            let core = AsyncConnectionCore(connected.connection, from: connected.address)
            // The pool hears of the connection from the first event on.
            connected.connection.handler = WatchedConnection(
                core, reporter, tellsUnasked: tellsUnasked)
            return AsyncConnection(core)
        }
        let connection = try await dial.connect().get()
        if let prepare = configuration.prepare {
            do {
                try await prepare(connection)
            } catch {
                connection.abort()
                throw error
            }
        }
        return PooledConnection(connection)
    }

    func close(_ connection: PooledObject, _ reason: PoolCloseReason) async {
        let connection = ConnectorBackend<AsyncConnection>.typed(connection)
        if reason.isOrderly { await connection.close() } else { connection.abort() }
    }

    func keepAlive(_ connection: PooledObject) async throws {
        try await configuration.keepAlive?(ConnectorBackend<AsyncConnection>.typed(connection))
    }

    func isHealthy(_ connection: PooledObject) -> Bool { true }

    func returned(_ connection: PooledObject) -> OnReturn {
        let connection = ConnectorBackend<AsyncConnection>.typed(connection)
        guard connection.loop.isCurrent else { return .elsewhere }
        let isClean = configuration.unasked == .keep || !connection.core.hasUnread
        return isClean ? .clean : .poisoned
    }

    func runAtHome(
        _ connection: PooledObject, _ body: @escaping @Sendable () -> Void
    ) -> Bool {
        ConnectorBackend<AsyncConnection>.typed(connection).loop.execute(body)
    }

    func watchAddresses(_ driver: PoolDriver) { watch?.start(driver) }

    func ended() { watch?.stop() }
}
