public import NetPoll

/// Bounds and times of RPC connections, of both sides.
public struct RPCConfiguration: Hashable, Sendable {
    /// What a call does that finds as many in flight as may be.
    public enum FullPolicy: Hashable, Sendable {
        /// It waits, first come first served, with at most so many others; further ones fail.
        case wait(callsMax: Int)
        /// It fails with ``StatusCode/resourceExhausted``.
        case fail
    }

    /// The most calls this side has in flight on a connection; the peer's bound may be lower. From 1
    /// to 2^31 - 1, default 1,024.
    public var outgoingCallsMax = 1_024
    /// Default: 1,024 calls wait.
    public var whenFull = FullPolicy.wait(callsMax: 1_024)
    /// The most calls of the peer that run here at once, for each connection; further ones are
    /// refused with ``StatusCode/resourceExhausted``. One that was given up counts until its handler
    /// has ended: a peer that calls and cancels in haste has no more. Default 1,024.
    public var incomingCallsMax = 1_024
    /// The longest message taken or sent, with its envelope, at most 64 MiB; one of more than 4 MiB
    /// only passes between sides that know the extensions. A longer one, or one that the peer does not
    /// take, fails with ``StatusCode/resourceExhausted`` where it is sent. Default 4 MiB.
    public var messageBytesMax = 4 << 20
    /// How many bytes of a stream the peer may send that knows the extensions, ten for each message
    /// added, before this side has read some; the last message may go beyond. From 1 to 2^31 - 1,
    /// default 256 KiB.
    public var streamCreditBytes = 256 << 10
    /// The same of all streams on a connection together: where so much waits to be read, all of them
    /// wait. From 1 to 2^31 - 1, default 1 MiB.
    public var connectionCreditBytes = 1 << 20
    /// Longer messages are sent in pieces of so many bytes, which take turns with other messages,
    /// where the peer takes them; at least 1,024. Default 32 KiB.
    public var pieceBytesMax = 32 << 10
    /// How many messages of the peer may be arriving in pieces at once, for each connection; each may
    /// hold as much memory as the longest message. 0: none is taken. Default 8.
    public var partialMessagesMax = 8
    /// How messages are compressed where the peer does so too; `nil`: they are not. Default `nil`.
    public var compression: RPCCompression?
    /// How long a call waits that says nothing else, more than nothing; `nil`: for ever. Default 30 s.
    public var callTimeout: Duration? = .seconds(30)
    /// Whether the extensions are negotiated. Default `true`.
    public var negotiatesExtensions = true
    /// Silence after which a peer that knows the extensions is pinged, at most 20 days; `nil`: never.
    /// Default 20 s.
    ///
    /// A plain peer, or one that has not said yet what it knows, cannot be pinged: its calls stand in
    /// for pings. A connection on which deadlines of calls pass, while nothing is heard for this time
    /// and ``pingTimeout`` together, takes no more calls, and ends with those it has.
    public var pingInterval: Duration? = .seconds(20)
    /// How long such a peer may stay silent after a ping before the connection is given up, at most 20
    /// days. Default 10 s.
    public var pingTimeout = Duration.seconds(10)
    /// When the kernel probes a peer that is silent (SO_KEEPALIVE); `nil`: never. It finds hosts that
    /// vanished, of plain peers too, and not processes that stopped. Default: after 30 s, 3 times, 5 s
    /// apart, so that the connection is given up after 45 s; pings are more often.
    public var tcpKeepAlive: SocketOptions.KeepAlive? = .init(
        idle: .seconds(30), interval: .seconds(5), probesMax: 3)
    /// Server: how long a connection may live before its client is told to go elsewhere (GOAWAY) and
    /// calls on it are awaited, so that load is spread anew over servers that come; `nil`: for ever.
    /// A connection of a peer that does not know the extensions is left alone, and one that has called
    /// nothing yet is looked at again after that time. Default `nil`.
    public var ageMax: Duration?
    /// By what part each connection's age is shortened at most, at random, so that those made together
    /// do not end together. Default 0.1.
    public var ageJitter = 0.1
    /// How long calls may go on on a connection that reached its age before it is aborted; `nil`: for
    /// ever. Default 30 s.
    public var ageGrace: Duration? = .seconds(30)
    /// Which services of introspection a server has. Default: none.
    public var introspection: RPCIntrospection = []
    /// Limits of the connection underneath. With an ``/NetPoll/Connection/Limits/idleTimeout``, `nil` by
    /// default, connections end on which nothing is sent either, whatever the peer knows.
    ///
    /// Its send queue holds 16 MiB by default. A call whose request is more than there is room for in
    /// all but its last sixteenth fails with ``StatusCode/resourceExhausted``, and is not run. A peer
    /// that does not take its replies loses its connection where they pass the bound: frames are not
    /// left out, so ``/NetPoll/Connection/Limits/overflow`` has to be its default. A queue shorter than a
    /// frame keeps to that: no call is sent, and a reply passes where the kernel takes it whole.
    public var connection: Connection.Limits = {
        var limits = Connection.Limits()
        limits.sendQueueBytesMax = 16 << 20
        return limits
    }()

    public init() {}

    /// How a socket is connected whose connection is configured so.
    func applied(to connecting: ConnectConfiguration) -> ConnectConfiguration {
        var connecting = connecting
        connecting.limits = connection
        if connecting.options.keepAlive == nil { connecting.options.keepAlive = tcpKeepAlive }
        return connecting
    }

    /// What the core of a connection keeps; the values were checked.
    var core: CoreLimits {
        var limits = CoreLimits()
        limits.outgoingMax = outgoingCallsMax
        switch whenFull {
        case .wait(let callsMax): limits.waitingMax = callsMax
        case .fail: limits.waitingMax = 0
        }
        limits.settings.streamCredit = UInt32(streamCreditBytes)
        limits.settings.connectionCredit = UInt32(connectionCreditBytes)
        limits.settings.callsMax = UInt32(clamping: incomingCallsMax)
        limits.settings.messageBytesMax = UInt32(messageBytesMax)
        limits.settings.partialsMax = UInt32(clamping: partialMessagesMax)
        limits.settings.compressors = compression == nil ? 0 : PeerSettings.zlib
        limits.negotiates = negotiatesExtensions
        limits.pingInterval = pingInterval
        limits.pingTimeout = pingTimeout
        return limits
    }
}
