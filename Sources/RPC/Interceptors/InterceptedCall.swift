public import NetPoll

/// A call as an ``RPCInterceptor`` sees it.
public struct InterceptedCall: Sendable {
    /// Which side of the call the interceptor is on.
    public enum Side: Hashable, Sendable {
        case client
        case server
    }

    public let side: Side
    /// The full name of the service.
    public let service: String
    /// The bare name of the method.
    public let method: String
    public let shape: CallShape
    /// Client: whether it is sent one-way. Such a call succeeds when it was sent.
    public let isOneWay: Bool
    /// Client: what is sent with the request. Server: what came with it, as the handler will see it.
    public var metadata: RPCMetadata
    /// When the caller stops waiting; `nil`: never. It may be brought forward, and is not put off: of
    /// this and what the caller asked for, the earlier counts.
    public var deadline: Instant?
}
