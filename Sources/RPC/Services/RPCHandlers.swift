/// The methods that one side of a connection serves.
///
///     var handlers = RPCHandlers()
///     handlers.handle(Greeter.sayHello) { request, context in
///         HelloReply(text: "Hello, \(request.name)")
///     }
public struct RPCHandlers: Sendable {
    private var methods = MethodTable()
    /// What goes around every call that is served, the first one outermost. Default: nothing.
    ///
    /// Where there is any, inline handlers become tasks on their loop.
    public var interceptors: [any RPCInterceptor] = []

    public init() {}

    /// The methods within their interceptors.
    var table: MethodTable {
        guard !interceptors.isEmpty else { return methods }
        let chain = InterceptorChain(interceptors: interceptors)
        return methods.mapped { InterceptedEntry($0, chain) }
    }

    mutating func moveToLoop() {
        methods = methods.mapped { $0.execution == .pool ? LoopEntry($0) : $0 }
    }

    /// Serves `method` with a task per call.
    ///
    /// The task is cancelled when the caller gives up, at the call's deadline, and when the
    /// connection is lost. What the handler throws ends the call: an ``RPCError`` and an
    /// ``RPCTypedError`` as they are, a `CancellationError` as ``StatusCode/cancelled``, anything else
    /// as ``StatusCode/unknown`` without its text.
    ///
    /// - Parameters:
    ///   - method: Must not be served already.
    ///   - execution: Where the task runs. Default: the global pool.
    ///   - handler: Gives the reply.
    public mutating func handle<Request, Reply>(
        _ method: UnaryMethod<Request, Reply>, on execution: HandlerExecution = .pool,
        _ handler: @escaping @Sendable (Request, RPCContext) async throws -> Reply
    ) {
        methods.add(UnaryEntry(method, on: execution, handler))
    }

    /// Serves `method` on the loop, within the event that brought the request: the fastest way, for
    /// handlers that neither block nor take long. Errors are as for `handle`.
    ///
    /// - Parameters:
    ///   - method: Must not be served already.
    ///   - handler: Gives the reply.
    public mutating func handleInline<Request, Reply>(
        _ method: UnaryMethod<Request, Reply>,
        _ handler: @escaping @Sendable (Request, RPCContext) throws -> Reply
    ) {
        let entry = InlineEntry(service: method.service, name: method.name) {
            payload, context, reply in
            let request: Request
            do {
                request = try Request(decoding: payload)
            } catch {
                throw RPCError(.invalidArgument, "the request cannot be decoded: \(error)")
            }
            try handler(request, context).encode(to: &reply)
        }
        methods.add(entry)
    }

    /// As ``handleInline(_:_:)`` for a method of bytes, which are lent and not copied: a call whose
    /// reply has up to 16 KiB allocates nothing.
    ///
    /// - Parameters:
    ///   - method: Must not be served already.
    ///   - handler: Gets the request's bytes for the call, and appends the reply's.
    public mutating func handleBytesInline(
        _ method: UnaryMethod<[UInt8], [UInt8]>,
        _ handler: @escaping @Sendable (RawSpan, RPCContext, inout PayloadWriter) throws -> Void
    ) {
        methods.add(InlineEntry(service: method.service, name: method.name, handler))
    }

    /// Serves a method whose replies stream, with a task per call as `handle` does.
    ///
    /// - Parameters:
    ///   - method: Must not be served already.
    ///   - execution: Where the task runs. Default: the global pool.
    ///   - handler: Sends the replies; when it returns they are at their end.
    public mutating func handle<Request, Reply>(
        _ method: ServerStreamingMethod<Request, Reply>, on execution: HandlerExecution = .pool,
        _ handler:
            @escaping @Sendable (Request, RPCOutbound<Reply>, RPCContext) async throws -> Void
    ) {
        methods.add(ServerStreamingEntry(method, on: execution, handler))
    }

    /// Serves a method whose requests stream, with a task per call as `handle` does.
    ///
    /// - Parameters:
    ///   - method: Must not be served already.
    ///   - execution: Where the task runs. Default: the global pool.
    ///   - handler: Reads the requests and gives the reply.
    public mutating func handle<Request, Reply>(
        _ method: ClientStreamingMethod<Request, Reply>, on execution: HandlerExecution = .pool,
        _ handler: @escaping @Sendable (RPCInbound<Request>, RPCContext) async throws -> Reply
    ) {
        methods.add(ClientStreamingEntry(method, on: execution, handler))
    }

    /// Serves a method with a stream each way, with a task per call as `handle` does.
    ///
    /// - Parameters:
    ///   - method: Must not be served already.
    ///   - execution: Where the task runs. Default: the global pool.
    ///   - handler: Reads the requests and sends the replies; when it returns they are at their end.
    public mutating func handle<Request, Reply>(
        _ method: BidirectionalMethod<Request, Reply>, on execution: HandlerExecution = .pool,
        _ handler:
            @escaping @Sendable (RPCInbound<Request>, RPCOutbound<Reply>, RPCContext) async throws
            -> Void
    ) {
        methods.add(BidirectionalEntry(method, on: execution, handler))
    }
}
