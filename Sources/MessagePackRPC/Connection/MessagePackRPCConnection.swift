internal import MessagePack
public import NetPoll

/// A connection to a speaker of MessagePack-RPC, over which many calls go at once in both
/// directions; from any thread.
///
/// ```swift
/// let editor = try await MessagePackRPCConnection.connect(
///     to: .unix(path: "/run/user/1000/nvim.sock"), on: group.loops[0])
/// let answer = try await editor.call("nvim_eval", "6 * 7", returning: Int.self)
/// ```
public struct MessagePackRPCConnection: Sendable {
    let peer: MessagePeer

    init(_ peer: MessagePeer) {
        self.peer = peer
    }

    /// Connects to a peer.
    ///
    /// - Parameters:
    ///   - address: Where it listens: TCP or a Unix socket.
    ///   - loop: Serves the connection.
    ///   - configuration: Bounds and times.
    ///   - connecting: How the socket is connected; its limits are those of `configuration`, and so is
    ///     keepalive where this says nothing of it.
    ///   - handlers: What the peer may call here.
    /// - Returns: The connection, open until either side ends it.
    /// - Throws: ``/NetPoll/ConnectError`` where there is no connection to be had.
    /// - Precondition: The configuration's values make sense.
    public static func connect(
        to address: SocketAddress, on loop: EventLoop,
        configuration: MessagePackRPCConfiguration = .init(),
        connecting: ConnectConfiguration = .init(), handlers: MessagePackRPCHandlers = .init()
    ) async throws(ConnectError) -> MessagePackRPCConnection {
        configuration.check()
        var connecting = connecting
        connecting.limits = configuration.connection
        if connecting.options.keepAlive == nil {
            connecting.options.keepAlive = configuration.tcpKeepAlive
        }
        let settings = connecting
        let result = await withCheckedContinuation {
            (
                continuation: CheckedContinuation<
                    Result<MessagePackRPCConnection, ConnectError>, Never
                >
            )
            in
            let willRun = loop.execute {
                loop.connect(to: address, configuration: settings) { result in
                    let connected = result.map { connection in
                        let peer = MessagePeer(connection, configuration, handlers)
                        connection.handler = peer
                        return MessagePackRPCConnection(peer)
                    }
                    continuation.resume(returning: connected)
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

    /// Calls a method and waits for its result.
    ///
    /// When the caller's task is cancelled, or the time is over, the call ends at once; the peer is
    /// not told, for the protocol has no word for it.
    ///
    /// - Parameters:
    ///   - method: The peer's name for it.
    ///   - parameters: Encoded in the caller's task.
    ///   - type: What the result is decoded as.
    ///   - timeout: How long to wait; `nil`: as configured.
    /// - Returns: The result, decoded in the caller's task.
    /// - Throws: ``MessagePackRPCError``.
    public func call<each Parameter: Encodable, Reply: Decodable>(
        _ method: String, _ parameters: repeat each Parameter, returning type: Reply.Type,
        timeout: Duration? = nil
    ) async throws(MessagePackRPCError) -> Reply {
        let message = try encoded(method, repeat each parameters)
        let result = try await reply(message, timeout)
        do {
            return try MessagePackDecoder(limits: peer.configuration.values)
                .decode(type, from: result)
        } catch {
            throw MessagePackRPCError(.undecodable("\(error)"), mayHaveRun: true)
        }
    }

    /// Calls a method whose result is of no interest, and waits until it is done; see
    /// ``call(_:_:returning:timeout:)``.
    public func call<each Parameter: Encodable>(
        _ method: String, _ parameters: repeat each Parameter, timeout: Duration? = nil
    ) async throws(MessagePackRPCError) {
        let message = try encoded(method, repeat each parameters)
        _ = try await reply(message, timeout)
    }

    /// Sends a notification, which nobody answers. Notifications and calls of one task arrive in
    /// their order.
    ///
    /// - Parameters:
    ///   - method: The peer's name for it.
    ///   - parameters: Encoded in the caller's task.
    /// - Throws: ``MessagePackRPCError`` where it could not be sent.
    public func notify<each Parameter: Encodable>(
        _ method: String, _ parameters: repeat each Parameter
    ) async throws(MessagePackRPCError) {
        let message = try encoded(method, repeat each parameters)
        let error = await withCheckedContinuation {
            (continuation: CheckedContinuation<MessagePackRPCError?, Never>) in
            let willRun = peer.onLoop { continuation.resume(returning: $0.notify(message)) }
            if !willRun { continuation.resume(returning: .lost(nil, mayHaveRun: false)) }
        }
        if let error { throw error }
    }

    /// Serves no more requests, and ends the connection when everything that runs in either
    /// direction is answered.
    public func drain() {
        peer.loop.execute { [peer] in peer.drain() }
    }

    /// Ends the connection at once; calls that run fail with
    /// ``MessagePackRPCError/Reason/closed(_:)``.
    public func close() {
        peer.loop.execute { [peer] in peer.connection.abort() }
    }

    private func encoded<each Parameter: Encodable>(
        _ method: String, _ parameters: repeat each Parameter
    ) throws(MessagePackRPCError) -> [UInt8] {
        guard !Task.isCancelled else {
            throw MessagePackRPCError(.cancelled, mayHaveRun: false)
        }
        var list = ParameterWriter()
        do {
            repeat try list.append(each parameters)
        } catch {
            throw MessagePackRPCError(.unencodable("\(error)"), mayHaveRun: false)
        }
        var writer = MessagePackWriter()
        writer.write(method)
        list.write(to: &writer)
        return writer.bytes
    }

    private func reply(
        _ message: [UInt8], _ timeout: Duration?
    ) async throws(MessagePackRPCError) -> [UInt8] {
        let call = PendingReply(
            message, timeout: timeout ?? peer.configuration.callTimeout, on: peer)
        return try await call.run().get()
    }
}
