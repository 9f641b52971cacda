public import NetPoll
import Synchronization

/// One connection to a peer, over which many calls go at once; from any thread.
///
/// A client's connection takes as many calls as ``callsMax`` says, so that a pool can lease it by
/// the call. A handler finds the connection of its caller in ``RPCContext/connection``, to call
/// back.
public struct RPCConnection: Sendable {
    let peer: PeerConnection

    init(_ peer: PeerConnection) {
        self.peer = peer
    }

    /// Connects to a server.
    ///
    /// - Parameters:
    ///   - address: Where it listens: TCP or a Unix socket.
    ///   - loop: Serves the connection.
    ///   - configuration: Bounds and times.
    ///   - connecting: How the socket is connected; its limits are those of `configuration`, and so is
    ///     keepalive where this says nothing of it.
    ///   - handlers: What the server may call here, where it knows the extensions.
    /// - Returns: The connection, open until either side ends it.
    /// - Throws: ``/NetPoll/ConnectError`` where there is no connection to be had.
    /// - Precondition: The configuration's values make sense.
    public static func connect(
        to address: SocketAddress, on loop: EventLoop, configuration: RPCConfiguration = .init(),
        connecting: ConnectConfiguration = .init(), handlers: RPCHandlers = .init()
    ) async throws(ConnectError) -> RPCConnection {
        configuration.check()
        let settings = configuration.applied(to: connecting)
        let result = await withCheckedContinuation {
            (continuation: CheckedContinuation<Result<RPCConnection, ConnectError>, Never>) in
            let willRun = loop.execute {
                loop.connect(to: address, configuration: settings) { result in
                    switch result {
                    case .success(let connection):
                        let mailbox = LoopMailbox(loop)
                        let peer = PeerConnection(
                            connection, role: .client, configuration: configuration,
                            table: handlers.table, mailbox: mailbox,
                            shelf: ServedCallShelf(mailbox))
                        connection.handler = peer
                        continuation.resume(returning: .success(RPCConnection(peer)))
                    case .failure(let error): continuation.resume(returning: .failure(error))
                    }
                }
            }
            if !willRun {
                continuation.resume(returning: .failure(ConnectError(.shutdown, to: address)))
            }
        }
        return try result.get()
    }

    /// The loop that serves the connection.
    public var loop: EventLoop { peer.loop }

    /// How many calls this side may have in flight, as it was configured.
    public var callsMax: Int { peer.configuration.outgoingCallsMax }

    /// Calls a method and waits for its reply.
    ///
    /// When the caller's task is cancelled the call ends at once; a server that knows the extensions
    /// is told, and cancels its handler. The caller's actor is not left to encode and decode.
    ///
    /// - Parameters:
    ///   - method: A method of both sides.
    ///   - request: Encoded in the caller's task.
    ///   - options: Timeout and metadata.
    /// - Returns: The reply, decoded in the caller's task.
    /// - Throws: ``RPCError``; its ``RPCError/execution`` says whether the handler may have run.
    public func call<Request, Reply>(
        _ method: UnaryMethod<Request, Reply>, _ request: Request,
        options: CallOptions = .init()
    ) async throws(RPCError) -> Reply {
        let call = try prepared(method.encoded, request, options)
        await run(call)
        return try reply(of: call)
    }

    /// As ``call(_:_:options:)``, for bytes as they are: spared the dispatch that other messages take.
    public func call(
        _ method: UnaryMethod<[UInt8], [UInt8]>, _ request: [UInt8],
        options: CallOptions = .init()
    ) async throws(RPCError) -> [UInt8] {
        let call = try prepared(method.encoded, request, options)
        await run(call)
        return try reply(of: call)
    }

    /// As `call`, with the reply's bytes lent and not copied: on the connection's loop a call allocates
    /// nothing, while up to 64 are in flight with messages of up to 16 KiB, or up to 1,024 with
    /// messages of up to 512 bytes. A reply that comes in several reads is put together in memory.
    ///
    /// - Parameters:
    ///   - method: A method of both sides.
    ///   - request: What is sent.
    ///   - options: Timeout and metadata.
    ///   - body: Gets the reply's bytes for the call, in the caller's task.
    /// - Returns: What `body` gives.
    /// - Throws: ``RPCError``, and what `body` throws.
    public func callBytes<Value>(
        _ method: UnaryMethod<[UInt8], [UInt8]>, _ request: [UInt8],
        options: CallOptions = .init(), _ body: (RawSpan) throws -> Value
    ) async throws -> Value {
        try await lend(method, request, options) { bytes in Result { try body(bytes) } }.get()
    }

    /// Calls, and lends the reply's bytes.
    @inline(__always)
    func lend<Value>(
        _ method: UnaryMethod<[UInt8], [UInt8]>, _ request: [UInt8], _ options: CallOptions,
        _ body: (RawSpan) -> Value
    ) async throws(RPCError) -> Value {
        let call = try prepared(method.encoded, request, options)
        await run(call)
        defer { giveBack(call) }
        if let failure = call.failure { throw failure }
        return call.reply.withSpan(body)
    }

    /// Sends a request that nobody answers. Whether it is served is not known.
    ///
    /// A peer that does not know the extensions answers all the same; its answer is dropped.
    ///
    /// - Parameters:
    ///   - method: A method of both sides.
    ///   - request: Encoded in the caller's task.
    ///   - options: Timeout and metadata.
    /// - Throws: ``RPCError`` where the request could not be sent.
    public func send<Request, Reply>(
        _ method: UnaryMethod<Request, Reply>, _ request: Request,
        options: CallOptions = .init()
    ) async throws(RPCError) {
        let call = try prepared(method.encoded, request, options)
        call.isOneWay = true
        await run(call)
        // Until a plain peer's answer comes the loop still has it, so it is not used again.
        if let failure = call.failure { throw failure }
    }

    /// Takes no more calls of either side, and ends the connection when those that run are over.
    ///
    /// Returns at once, and sets no bound: each call ends by its own deadline. Call ``close()`` when they
    /// have taken long enough; ``RPCClient/drain(deadline:)`` and ``RPCServer/drain(deadline:)`` wait, and
    /// do so by themselves.
    public func drain() {
        peer.loop.execute { [peer] in peer.stopCalling() }
    }

    /// Ends the connection at once; calls that run fail with ``StatusCode/unavailable``.
    public func close() {
        peer.loop.execute { [peer] in peer.connection.abort() }
    }

    // MARK: - One call

    @inline(__always)
    func prepared<Request: RPCMessage>(
        _ name: EncodedName, _ request: Request, _ options: CallOptions
    ) throws(RPCError) -> PendingCall {
        guard !Task.isCancelled else {
            throw RPCError(.cancelled, "the call was cancelled", execution: .notRun)
        }
        let call = takeCall(name)
        do {
            try request.encode(to: &call.request)
        } catch {
            throw RPCError(
                .internal, "the request cannot be encoded: \(error)", execution: .notRun)
        }
        // Longer than 292 years is for ever, and not the connection's default.
        call.timeout = options.timeout.map { min($0.inNanoseconds, .max - 1) } ?? .max
        call.deadline = RPCDeadline.current?.nanoseconds ?? .max
        if !options.metadata.isTriviallyEmpty { call.metadata = options.metadata }
        return call
    }

    private func takeCall(_ name: EncodedName) -> PendingCall {
        guard peer.loop.isCurrent else { return peer.calls.take(name) }
        guard let call = peer.idleCalls.popLast() else { return PendingCall(name) }
        call.name = name
        return call
    }

    @inline(__always)
    private func reply<Reply: RPCMessage>(of call: PendingCall) throws(RPCError) -> Reply {
        defer { giveBack(call) }
        if let failure = call.failure { throw failure }
        do {
            return try call.reply.withSpan { try Reply(decoding: $0) }
        } catch {
            throw RPCError(
                .internal, "the reply cannot be decoded: \(error)", execution: .answered)
        }
    }

    @inline(__always)
    private func run(_ call: PendingCall) async {
        await withTaskCancellationHandler {
            await withUnsafeContinuation { (continuation: UnsafeContinuation<Void, Never>) in
                call.continuation = continuation
                peer.mailbox.submit(call, on: peer)
            }
        } onCancel: {
            peer.mailbox.cancel(call, on: peer)
        }
    }

    private func giveBack(_ call: PendingCall) {
        // A cancellation may still be on its way to the loop, and would meet another call.
        guard !Task.isCancelled else { return }
        call.reset()
        guard peer.loop.isCurrent else { return peer.calls.giveBack(call) }
        guard peer.idleCalls.count < PendingCallShelf.idleMax else { return }
        if peer.idleCalls.count >= PayloadWriter.grownMax { call.trim() }
        peer.idleCalls.append(call)
    }
}

/// Calls that are over, to be used again by any thread.
final class PendingCallShelf: Sendable {
    /// How many are kept.
    static let idleMax = 1_024

    private let idle = Mutex<[PendingCall]>([])

    func take(_ name: EncodedName) -> PendingCall {
        guard let call = idle.withLock({ $0.popLast() }) else { return PendingCall(name) }
        call.name = name
        return call
    }

    func giveBack(_ call: PendingCall) {
        let isKept = idle.withLock { idle in
            guard idle.count < PayloadWriter.grownMax else { return false }
            idle.append(call)
            return true
        }
        guard !isKept else { return }
        call.trim()
        idle.withLock { idle in
            if idle.count < Self.idleMax { idle.append(call) }
        }
    }
}
