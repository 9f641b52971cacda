import ConnPool
import NetPoll

// Calls that stream, which are not repeated: what was read or sent before cannot be taken back.
extension RPCClient {
    /// Calls a method whose replies stream; see ``RPCConnection/call(_:_:options:_:)``.
    ///
    /// - Parameters:
    ///   - method: A method of both sides.
    ///   - request: Encoded in the caller's task.
    ///   - options: Timeout of the whole call, and metadata.
    ///   - body: Reads the replies. When it returns before the last one, the call is cancelled.
    /// - Returns: What `body` gives.
    /// - Throws: What `body` and interceptors throw, and ``RPCError``.
    public func call<Request, Reply, Result>(
        _ method: ServerStreamingMethod<Request, Reply>, _ request: Request,
        options: CallOptions = .init(),
        _ body: (RPCInbound<Reply>) async throws -> Result
    ) async throws -> Result {
        let call = OutgoingCall(method.encoded, method.service, method.name, .serverStreaming)
        return try await withLine(call, options) { connection, options in
            try await connection.call(method, request, options: options, body)
        }
    }

    /// Calls a method whose requests stream; see ``RPCConnection``.
    ///
    /// - Parameters:
    ///   - method: A method of both sides.
    ///   - options: Timeout of the whole call, and metadata.
    ///   - body: Sends the requests; when it returns they are at their end.
    /// - Returns: The reply.
    /// - Throws: What `body` and interceptors throw, and ``RPCError``.
    public func call<Request, Reply>(
        _ method: ClientStreamingMethod<Request, Reply>, options: CallOptions = .init(),
        _ body: (RPCOutbound<Request>) async throws -> Void
    ) async throws -> Reply {
        let call = OutgoingCall(method.encoded, method.service, method.name, .clientStreaming)
        return try await withLine(call, options) { connection, options in
            try await connection.call(method, options: options, body)
        }
    }

    /// Calls a method with a stream each way; see ``RPCConnection``.
    ///
    /// - Parameters:
    ///   - method: A method of both sides.
    ///   - options: Timeout of the whole call, and metadata.
    ///   - body: Sends and reads; it says itself when it sends no more (``RPCOutbound/finish()``). When
    ///     it returns before the last reply, the call is cancelled.
    /// - Returns: What `body` gives.
    /// - Throws: What `body` and interceptors throw, and ``RPCError``.
    public func call<Request, Reply, Result>(
        _ method: BidirectionalMethod<Request, Reply>, options: CallOptions = .init(),
        _ body: (RPCOutbound<Request>, RPCInbound<Reply>) async throws -> Result
    ) async throws -> Result {
        let call = OutgoingCall(method.encoded, method.service, method.name, .bidirectional)
        return try await withLine(call, options) { connection, options in
            try await connection.call(method, options: options, body)
        }
    }

    // MARK: - Around one call

    /// Makes a call on a line, within the interceptors.
    func withLine<Result>(
        _ call: OutgoingCall, _ options: CallOptions,
        _ body: (RPCConnection, CallOptions) async throws -> Result
    ) async throws -> Result {
        try await counted(call.encoded) { _ in
            guard !chain.isEmpty else { return try await onLine(options, body) }
            return try await intercepted(call, options) { try await onLine($0, body) }
        }
    }

    private func onLine<Result>(
        _ options: CallOptions, _ body: (RPCConnection, CallOptions) async throws -> Result
    ) async throws -> Result {
        let permit = try effort.hasBreaker ? effort.begin(at: pool.now) : nil
        var options = options
        let line = try await line(&options, since: pool.now, permit)
        do {
            let result = try await body(line.link.connection, options)
            lines.giveBack(line, .success)
            effort.ended(permit, .success, at: pool.now)
            return result
        } catch {
            let outcome = (error as? RPCError).map { effort.outcome(of: $0) } ?? .neutral
            lines.giveBack(line, outcome)
            effort.ended(permit, outcome, at: pool.now)
            throw error
        }
    }

    func intercepted<Result>(
        _ call: OutgoingCall, _ options: CallOptions,
        _ body: (CallOptions) async throws -> Result
    ) async throws -> Result {
        let deadline = deadline(of: options, since: pool.now)
        let call = InterceptedCall(
            side: .client, service: call.service, method: call.method, shape: call.shape,
            isOneWay: call.isOneWay, metadata: options.metadata, deadline: deadline)
        var result: Result?
        try await chain.run(call) { call in
            var options = options
            options.metadata = call.metadata
            if let earliest = [deadline, call.deadline].compactMap({ $0 }).min() {
                options.timeout = earliest - pool.now
            }
            result = try await body(options)
        }
        guard let result else { preconditionFailure("a call that was made has no result") }
        return result
    }
}

/// What is known of a call before it is made.
struct OutgoingCall {
    let encoded: EncodedName
    let service: String
    let method: String
    let shape: CallShape
    var isOneWay = false

    init(_ encoded: EncodedName, _ service: String, _ method: String, _ shape: CallShape) {
        self.encoded = encoded
        self.service = service
        self.method = method
        self.shape = shape
    }
}
