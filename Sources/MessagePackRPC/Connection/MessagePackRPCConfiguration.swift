public import MessagePack
public import NetPoll

/// Bounds and times of MessagePack-RPC connections, of both sides.
public struct MessagePackRPCConfiguration: Hashable, Sendable {
    /// The most calls of this side that wait for answers on a connection, from 1 to 65,536; further
    /// ones fail with ``MessagePackRPCError/Reason/tooManyCalls(limit:)``. Default 1,024.
    public var callsInFlightMax = 1_024
    /// The most requests of the peer that run here at once, for each connection, at least 1; further
    /// ones are answered with an error. Default 1,024.
    public var requestsInFlightMax = 1_024
    /// The longest message taken or sent, from 128 bytes, which an error takes that says so, to 1 GiB;
    /// a longer one that comes ends the connection. Default 4 MiB.
    public var messageBytesMax = 4 << 20
    /// What a message may have at most beside its length; a request without parameters has a depth of
    /// 2 and 4 elements. Default: as ``/MessagePack/MessagePackReader/Limits``.
    public var values = MessagePackReader.Limits()
    /// How long a call waits that says nothing else, more than nothing; `nil`: for ever. Default 30 s.
    public var callTimeout: Duration? = .seconds(30)
    /// When the kernel probes a peer that is silent (SO_KEEPALIVE), for the protocol has no pings;
    /// `nil`: never. It finds hosts that vanished, and not processes that stopped. Default: after 30 s,
    /// 3 times, 5 s apart, so that the connection is given up after 45 s.
    public var tcpKeepAlive: SocketOptions.KeepAlive? = .init(
        idle: .seconds(30), interval: .seconds(5), probesMax: 3)
    /// Limits of the connection underneath. By default its send queue holds 16 MiB, and refuses
    /// what is more.
    public var connection: Connection.Limits = {
        var limits = Connection.Limits()
        limits.sendQueueBytesMax = 16 << 20
        limits.overflow = .refuse
        return limits
    }()

    public init() {}

    /// Traps on values that make no sense.
    func check() {
        precondition(
            (1...65_536).contains(callsInFlightMax), "\(callsInFlightMax) calls in flight")
        precondition(requestsInFlightMax > 0, "\(requestsInFlightMax) requests at once")
        precondition(
            (128...1 << 30).contains(messageBytesMax), "messages of \(messageBytesMax) bytes")
        precondition(values.depthMax >= 2, "messages of depth \(values.depthMax)")
        precondition(values.elementsMax >= 4, "messages of \(values.elementsMax) elements")
        precondition(values.bytesMax >= 0, "texts of \(values.bytesMax) bytes")
        if let callTimeout { precondition(callTimeout > .zero, "a timeout of \(callTimeout)") }
    }
}
