/// What a pool's driver needs done to connections.
protocol PoolBackend: AnyObject, Sendable {
    var runsKeepAlives: Bool { get }
    var checksHealth: Bool { get }

    func connect(_ reporter: ConnectionReporter) async throws -> PooledObject
    func close(_ connection: PooledObject, _ reason: PoolCloseReason) async
    func keepAlive(_ connection: PooledObject) async throws
    func isHealthy(_ connection: PooledObject) -> Bool

    /// Whether a connection that comes back may be leased again.
    func returned(_ connection: PooledObject) -> OnReturn
    /// Runs `body` where ``returned(_:)`` can tell; `false` where that is not possible any more.
    func runAtHome(_ connection: PooledObject, _ body: @escaping @Sendable () -> Void) -> Bool

    /// The pool is closed and has no connection left.
    func ended()
}

/// What a backend finds of a connection that comes back.
enum OnReturn: Hashable, Sendable {
    case clean
    /// Something of its last use is left: who got it next would take it for an answer.
    case poisoned
    /// Only the thread the connection belongs to can tell.
    case elsewhere
}

extension PoolBackend {
    func returned(_ connection: PooledObject) -> OnReturn { .clean }
    func runAtHome(
        _ connection: PooledObject, _ body: @escaping @Sendable () -> Void
    ) -> Bool { false }
    func ended() {}
}
