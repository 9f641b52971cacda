/// A method with its handler, as the table of a server keeps it.
///
/// A class with overridden methods: calling one costs less than an existential or a closure.
class MethodEntry {
    enum Execution: Hashable, Sendable {
        case inline
        case loop
        case pool
    }

    /// Of the names, as they stand in a request.
    let service: [UInt8]
    let method: [UInt8]
    let shape: CallShape
    let execution: Execution
    /// Its place in the table; set before that is used.
    var index = 0

    init(service: String, method: String, shape: CallShape, execution: Execution) {
        self.service = Array(service.utf8)
        self.method = Array(method.utf8)
        self.shape = shape
        self.execution = execution
    }

    /// Whether a request of this shape may call it.
    @inline(__always)
    func accepts(_ incoming: CoreEvent.IncomingShape) -> Bool {
        switch incoming {
        case .unary: shape == .unary
        case .streamingOut: shape != .unary
        case .streamingIn: shape.clientStreams
        }
    }

    /// Serves a call in its own task; the reply goes to ``ServedCall/reply``.
    func run(_ call: ServedCall) async throws {
        preconditionFailure("\(type(of: self)) has no async handler")
    }

    /// Serves a call on the loop, within the event that brought it.
    func runInline(
        _ payload: RawSpan, _ context: RPCContext, _ reply: inout PayloadWriter
    ) throws {
        preconditionFailure("\(type(of: self)) has no inline handler")
    }
}

/// A unary method with an async handler.
final class UnaryEntry<Request: RPCMessage, Reply: RPCMessage>: MethodEntry {
    private let handler: @Sendable (Request, RPCContext) async throws -> Reply

    init(
        _ method: UnaryMethod<Request, Reply>, on execution: HandlerExecution,
        _ handler: @escaping @Sendable (Request, RPCContext) async throws -> Reply
    ) {
        self.handler = handler
        super.init(
            service: method.service, method: method.name, shape: .unary,
            execution: execution == .loop ? .loop : .pool)
    }

    override func run(_ call: ServedCall) async throws {
        let request = try call.decodeRequest(Request.self)
        let reply = try await handler(request, call.context)
        do {
            try reply.encode(to: &call.reply)
        } catch {
            throw RPCError(.internal, "the reply cannot be encoded: \(error)")
        }
    }
}

/// A unary method with a handler that runs within the event that brought the request.
final class InlineEntry: MethodEntry {
    typealias Handler = @Sendable (RawSpan, RPCContext, inout PayloadWriter) throws -> Void

    private let handler: Handler

    init(service: String, name: String, _ handler: @escaping Handler) {
        self.handler = handler
        super.init(service: service, method: name, shape: .unary, execution: .inline)
    }

    /// Within interceptors it is a task as others are.
    override func run(_ call: ServedCall) async throws {
        let context = call.context
        try call.withRequestPayload { try handler($0, context, &call.reply) }
    }

    override func runInline(
        _ payload: RawSpan, _ context: RPCContext, _ reply: inout PayloadWriter
    ) throws {
        try handler(payload, context, &reply)
    }
}
