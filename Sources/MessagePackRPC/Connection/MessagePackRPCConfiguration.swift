public import MessagePack
public import NetPoll

/// Bounds and times of MessagePack-RPC connections, of both sides.
public struct MessagePackRPCConfiguration: Hashable, Sendable {
    /// The most calls of this side that wait for answers on a connection, at most 65,536; further
    /// ones fail with ``MessagePackRPCError/Reason/tooManyCalls(limit:)``. Default 1,024.
    public var callsInFlightMax = 1_024
    /// The most requests of the peer that run here at once, for each connection; further ones are
    /// answered with an error. Default 1,024.
    public var requestsInFlightMax = 1_024
    /// The longest message taken or sent; a longer one that comes ends the connection. Default
    /// 4 MiB.
    public var messageBytesMax = 4 << 20
    /// What a message may have at most beside its length. Default: as
    /// ``/MessagePack/MessagePackReader/Limits``.
    public var values = MessagePackReader.Limits()
    /// How long a call waits that says nothing else; `nil`: for ever. Default 30 s.
    public var callTimeout: Duration? = .seconds(30)
    /// Limits of the connection underneath. By default its send queue holds 16 MiB, and refuses
    /// what is more.
    public var connection: Connection.Limits = {
        var limits = Connection.Limits()
        limits.sendQueueBytesMax = 16 << 20
        limits.overflow = .refuse
        return limits
    }()

    public init() {}
}
