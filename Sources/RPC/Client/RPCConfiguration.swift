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

    /// The most calls this side has in flight on a connection; the peer's bound may be lower.
    /// Default 1,024.
    public var outgoingCallsMax = 1_024
    /// Default: 1,024 calls wait.
    public var whenFull = FullPolicy.wait(callsMax: 1_024)
    /// The most calls of the peer that run here at once, for each connection; further ones are
    /// refused with ``StatusCode/resourceExhausted``. Default 1,024.
    public var incomingCallsMax = 1_024
    /// The longest message taken or sent, with its envelope, at most 4 MiB. Default 4 MiB.
    public var messageBytesMax = 4 << 20
    /// How long a call waits that says nothing else; `nil`: for ever. Default 30 s.
    public var callTimeout: Duration? = .seconds(30)
    /// Whether the extensions are negotiated. Default `true`.
    public var negotiatesExtensions = true
    /// Silence after which a peer that knows the extensions is pinged; `nil`: never. Default 20 s.
    public var pingInterval: Duration? = .seconds(20)
    /// How long such a peer may stay silent after a ping before the connection is given up. Default
    /// 10 s.
    public var pingTimeout = Duration.seconds(10)
    /// Which services of introspection a server has. Default: none.
    public var introspection: RPCIntrospection = []
    /// Limits of the connection underneath. Its send queue holds 16 MiB by default.
    public var connection: Connection.Limits = {
        var limits = Connection.Limits()
        limits.sendQueueBytesMax = 16 << 20
        return limits
    }()

    public init() {}

    var core: CoreLimits {
        precondition(
            (1...FrameHeader.dataBytesMax).contains(messageBytesMax),
            "messages of at most \(messageBytesMax) bytes")
        precondition(incomingCallsMax > 0, "at most \(incomingCallsMax) calls of the peer")
        var limits = CoreLimits()
        limits.outgoingMax = outgoingCallsMax
        switch whenFull {
        case .wait(let callsMax): limits.waitingMax = callsMax
        case .fail: limits.waitingMax = 0
        }
        limits.settings.callsMax = UInt32(clamping: incomingCallsMax)
        limits.settings.messageBytesMax = UInt32(messageBytesMax)
        limits.negotiates = negotiatesExtensions
        limits.pingInterval = pingInterval
        limits.pingTimeout = pingTimeout
        return limits
    }
}
