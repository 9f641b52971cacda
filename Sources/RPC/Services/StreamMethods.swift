/// A method with one request and a stream of replies; see ``RPCService``.
public struct ServerStreamingMethod<Request: RPCMessage, Reply: RPCMessage>: Sendable {
    /// The full name of its service.
    public let service: String
    /// Its bare name.
    public let name: String
    /// What else is known of it.
    public let traits: RPCMethodTraits
    let encoded: EncodedName
}

/// A method with a stream of requests and one reply; see ``RPCService``.
public struct ClientStreamingMethod<Request: RPCMessage, Reply: RPCMessage>: Sendable {
    /// The full name of its service.
    public let service: String
    /// Its bare name.
    public let name: String
    /// What else is known of it.
    public let traits: RPCMethodTraits
    let encoded: EncodedName
}

/// A method with a stream each way; see ``RPCService``.
public struct BidirectionalMethod<Request: RPCMessage, Reply: RPCMessage>: Sendable {
    /// The full name of its service.
    public let service: String
    /// Its bare name.
    public let name: String
    /// What else is known of it.
    public let traits: RPCMethodTraits
    let encoded: EncodedName
}

extension RPCService {
    /// A method with one request and a stream of replies.
    ///
    /// - Parameters:
    ///   - name: The bare name on the wire.
    ///   - request: What it takes.
    ///   - reply: What each message of its replies is.
    ///   - traits: What else is known of it. Default: nothing.
    /// - Returns: The method.
    public static func serverStreaming<Request, Reply>(
        _ name: String, _ request: Request.Type, _ reply: Reply.Type,
        _ traits: RPCMethodTraits = []
    ) -> ServerStreamingMethod<Request, Reply> {
        ServerStreamingMethod(
            service: serviceName, name: name, traits: traits,
            encoded: EncodedName(service: serviceName, method: name))
    }

    /// A method with a stream of requests and one reply.
    ///
    /// - Parameters:
    ///   - name: The bare name on the wire.
    ///   - request: What each message of its requests is.
    ///   - reply: What it gives.
    ///   - traits: What else is known of it. Default: nothing.
    /// - Returns: The method.
    public static func clientStreaming<Request, Reply>(
        _ name: String, _ request: Request.Type, _ reply: Reply.Type,
        _ traits: RPCMethodTraits = []
    ) -> ClientStreamingMethod<Request, Reply> {
        ClientStreamingMethod(
            service: serviceName, name: name, traits: traits,
            encoded: EncodedName(service: serviceName, method: name))
    }

    /// A method with a stream each way.
    ///
    /// - Parameters:
    ///   - name: The bare name on the wire.
    ///   - request: What each message of its requests is.
    ///   - reply: What each message of its replies is.
    ///   - traits: What else is known of it. Default: nothing.
    /// - Returns: The method.
    public static func bidirectional<Request, Reply>(
        _ name: String, _ request: Request.Type, _ reply: Reply.Type,
        _ traits: RPCMethodTraits = []
    ) -> BidirectionalMethod<Request, Reply> {
        BidirectionalMethod(
            service: serviceName, name: name, traits: traits,
            encoded: EncodedName(service: serviceName, method: name))
    }
}
