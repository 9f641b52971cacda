/// A method with a stream of replies.
final class ServerStreamingEntry<Request: RPCMessage, Reply: RPCMessage>: MethodEntry {
    typealias Handler = @Sendable (Request, RPCOutbound<Reply>, RPCContext) async throws -> Void

    private let handler: Handler

    init(
        _ method: ServerStreamingMethod<Request, Reply>, on execution: HandlerExecution,
        _ handler: @escaping Handler
    ) {
        self.handler = handler
        super.init(
            service: method.service, method: method.name, shape: .serverStreaming,
            execution: execution == .loop ? .loop : .pool)
    }

    override func run(_ call: ServedCall) async throws {
        let request = try call.decodeRequest(Request.self)
        try await handler(request, RPCOutbound(stream: try call.openStream), call.context)
    }
}

/// A method with a stream of requests.
final class ClientStreamingEntry<Request: RPCMessage, Reply: RPCMessage>: MethodEntry {
    typealias Handler = @Sendable (RPCInbound<Request>, RPCContext) async throws -> Reply

    private let handler: Handler

    init(
        _ method: ClientStreamingMethod<Request, Reply>, on execution: HandlerExecution,
        _ handler: @escaping Handler
    ) {
        self.handler = handler
        super.init(
            service: method.service, method: method.name, shape: .clientStreaming,
            execution: execution == .loop ? .loop : .pool)
    }

    override func run(_ call: ServedCall) async throws {
        let reply = try await handler(RPCInbound(stream: try call.openStream), call.context)
        do {
            try reply.encode(to: &call.reply)
        } catch {
            throw RPCError(.internal, "the reply cannot be encoded: \(error)")
        }
    }
}

/// A method with a stream each way.
final class BidirectionalEntry<Request: RPCMessage, Reply: RPCMessage>: MethodEntry {
    typealias Handler =
        @Sendable (RPCInbound<Request>, RPCOutbound<Reply>, RPCContext) async throws -> Void

    private let handler: Handler

    init(
        _ method: BidirectionalMethod<Request, Reply>, on execution: HandlerExecution,
        _ handler: @escaping Handler
    ) {
        self.handler = handler
        super.init(
            service: method.service, method: method.name, shape: .bidirectional,
            execution: execution == .loop ? .loop : .pool)
    }

    override func run(_ call: ServedCall) async throws {
        let stream = try call.openStream
        try await handler(RPCInbound(stream: stream), RPCOutbound(stream: stream), call.context)
    }
}

extension ServedCall {
    /// The stream of a call that streams.
    var openStream: CallStream {
        get throws {
            guard let stream else { throw RPCError(.internal, "a call without its stream") }
            return stream
        }
    }
}
