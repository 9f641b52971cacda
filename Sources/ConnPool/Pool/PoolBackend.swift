/// What a pool's driver needs done to connections.
protocol PoolBackend: AnyObject, Sendable {
    var runsKeepAlives: Bool { get }
    var checksHealth: Bool { get }

    func connect(_ reporter: ConnectionReporter) async throws -> PooledObject
    func close(_ connection: PooledObject, _ reason: PoolCloseReason) async
    func keepAlive(_ connection: PooledObject) async throws
    func isHealthy(_ connection: PooledObject) -> Bool
}
