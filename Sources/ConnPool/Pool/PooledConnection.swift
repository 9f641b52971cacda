/// A connection of a pool, of a type that only its backend knows.
///
/// What happens on every lease is the same for all types, and stays out of generic code so.
typealias PooledObject = any AnyObject & Sendable

/// One connection of a pool.
final class PooledConnection<Connection: Sendable>: Sendable {
    let connection: Connection

    init(_ connection: Connection) {
        self.connection = connection
    }
}
