/// Names one connection of one pool, from the start of its dial, for ever.
///
/// Slot and generation: what is reported late about a connection that is gone names nothing, and
/// never a later connection.
public struct PooledConnectionID: Hashable, Sendable {
    let slot: Int32
    let generation: UInt32
}

extension PooledConnectionID: CustomStringConvertible {
    public var description: String { "\(slot).\(generation)" }
}

/// Names one request that waits, for ever.
struct WaiterID: Hashable, Sendable {
    let slot: Int32
    let generation: UInt32
}
