// Calls that stream.
extension RPCConnection {
    /// Calls a method whose replies stream.
    ///
    /// When `body` returns before the last reply, the call is cancelled.
    ///
    /// - Parameters:
    ///   - method: A method of both sides.
    ///   - request: Encoded in the caller's task.
    ///   - options: Timeout of the whole call, and metadata.
    ///   - body: Reads the replies.
    /// - Returns: What `body` gives.
    /// - Throws: What `body` throws, and ``RPCError``.
    public func call<Request, Reply, Result>(
        _ method: ServerStreamingMethod<Request, Reply>, _ request: Request,
        options: CallOptions = .init(),
        _ body: (RPCInbound<Reply>) async throws -> Result
    ) async throws -> Result {
        let call = try prepared(method.encoded, request, options)
        let stream = open(call, .serverStreaming)
        defer { peer.mailbox.cancel(call, on: peer) }
        return try await body(RPCInbound(stream: stream))
    }

    /// Calls a method whose requests stream.
    ///
    /// - Parameters:
    ///   - method: A method of both sides.
    ///   - options: Timeout of the whole call, and metadata.
    ///   - body: Sends the requests; when it returns they are at their end. Where the server answers
    ///     early, sending throws, and the answer counts.
    /// - Returns: The reply.
    /// - Throws: What `body` throws, and ``RPCError``.
    public func call<Request, Reply>(
        _ method: ClientStreamingMethod<Request, Reply>, options: CallOptions = .init(),
        _ body: (RPCOutbound<Request>) async throws -> Void
    ) async throws -> Reply {
        let call = try prepared(method.encoded, [UInt8](), options)
        let stream = open(call, .clientStreaming)
        defer { peer.mailbox.cancel(call, on: peer) }
        do {
            try await body(RPCOutbound(stream: stream))
            peer.mailbox.finishWrites(of: stream)
        } catch {
            guard stream.isEnded else { throw error }
        }
        guard let bytes = try await stream.next() else {
            throw RPCError(.internal, "the answer has no reply", execution: .answered)
        }
        do {
            return try Reply(decoding: bytes.span.bytes)
        } catch {
            throw RPCError(
                .internal, "the reply cannot be decoded: \(error)", execution: .answered)
        }
    }

    /// Calls a method with a stream each way.
    ///
    /// When `body` returns before the last reply, the call is cancelled.
    ///
    /// - Parameters:
    ///   - method: A method of both sides.
    ///   - options: Timeout of the whole call, and metadata.
    ///   - body: Sends and reads; it says itself when it sends no more (``RPCOutbound/finish()``).
    /// - Returns: What `body` gives.
    /// - Throws: What `body` throws, and ``RPCError``.
    public func call<Request, Reply, Result>(
        _ method: BidirectionalMethod<Request, Reply>, options: CallOptions = .init(),
        _ body: (RPCOutbound<Request>, RPCInbound<Reply>) async throws -> Result
    ) async throws -> Result {
        let call = try prepared(method.encoded, [UInt8](), options)
        let stream = open(call, .bidirectional)
        defer { peer.mailbox.cancel(call, on: peer) }
        return try await body(RPCOutbound(stream: stream), RPCInbound(stream: stream))
    }

    private func open(_ call: PendingCall, _ shape: CallShape) -> CallStream {
        let stream = CallStream(peer, .outgoing)
        call.shape = shape
        call.stream = stream
        peer.mailbox.submit(call, on: peer)
        return stream
    }
}
