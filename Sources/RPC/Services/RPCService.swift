/// A service: the name its methods stand under on the wire, and those methods as values that both
/// sides share.
///
///     enum Greeter: RPCService {
///         static let serviceName = "greet.Greeter"
///         static let sayHello = unary("SayHello", HelloRequest.self, HelloReply.self)
///     }
public protocol RPCService {
    /// The full name, with its package: `greet.Greeter`.
    static var serviceName: String { get }
}

extension RPCService {
    /// A method with one request and one reply.
    ///
    /// - Parameters:
    ///   - name: The bare name on the wire.
    ///   - request: What it takes.
    ///   - reply: What it gives.
    ///   - traits: What else is known of it. Default: nothing.
    /// - Returns: The method, for ``RPCClient/call(_:_:options:)`` and
    ///   ``RPCHandlers``.
    public static func unary<Request, Reply>(
        _ name: String, _ request: Request.Type, _ reply: Reply.Type,
        _ traits: RPCMethodTraits = []
    ) -> UnaryMethod<Request, Reply> {
        UnaryMethod(service: serviceName, name: name, traits: traits)
    }
}

/// A method with one request and one reply; see ``RPCService``.
public struct UnaryMethod<Request: RPCMessage, Reply: RPCMessage>: Sendable {
    /// The full name of its service.
    public let service: String
    /// Its bare name.
    public let name: String
    /// What else is known of it.
    public let traits: RPCMethodTraits
    let encoded: EncodedName

    init(service: String, name: String, traits: RPCMethodTraits = []) {
        self.service = service
        self.name = name
        self.traits = traits
        encoded = EncodedName(service: service, method: name)
    }
}
