import NetPoll
import Testing

@testable import RPC

/// A server and its clients on real sockets; each side has loops, and threads, of its own.
struct SocketWorld: Sendable {
    let serving: EventLoopGroup
    let calling: EventLoopGroup
    let server: RPCServer
    let address: SocketAddress
    let witness: Witness

    /// - Parameters:
    ///   - configuration: Of the server's connections.
    ///   - handlers: What it serves; `nil`: as ``RPCWorld``'s.
    ///   - place: Where it listens; `nil`: a port of the kernel's choice.
    ///   - loops: Of each side.
    /// - Throws: What keeps it from listening.
    init(
        configuration: RPCConfiguration = .init(), handlers: RPCHandlers? = nil,
        on place: SocketAddress? = nil, loops: Int = 1
    ) async throws {
        var settings = EventLoopGroup.Configuration()
        settings.loops = loops
        let (witness, group) = (Witness(), try EventLoopGroup(configuration: settings))
        let server = RPCServer(
            group: group, handlers: handlers ?? RPCWorld.handlers(witness),
            configuration: configuration)
        let any = try SocketAddress(host: "127.0.0.1", port: 0)
        self.witness = witness
        serving = group
        calling = try EventLoopGroup(configuration: settings)
        self.server = server
        address = try await server.listen(on: place ?? any)
    }

    /// A connection of ours to the server.
    func connect(_ configuration: RPCConfiguration = .init()) async throws -> RPCConnection {
        try await RPCConnection.connect(
            to: address, on: calling.loops[0], configuration: configuration)
    }

    /// A client of the server that the test plays itself.
    func connectPeer() async throws -> FramePeer {
        FramePeer(try await Connection.connect(to: address, on: calling.loops[0]))
    }

    /// A connection of ours to a server that the test plays itself.
    func connectToPeer(
        _ configuration: RPCConfiguration = .init()
    ) async throws -> (RPCConnection, FramePeer) {
        let listener = try await serving.listen(on: SocketAddress(host: "127.0.0.1", port: 0))
        let connection = try await RPCConnection.connect(
            to: listener.address, on: calling.loops[0], configuration: configuration)
        var accepted = listener.makeAsyncIterator()
        let taken = await accepted.next()
        listener.close()
        return (connection, FramePeer(try #require(taken)))
    }

    /// The server's ends of its connections.
    func peers() async -> [RPCConnection] {
        var peers: [RPCConnection] = []
        for loop in serving.loops {
            peers += await loop.run { [server] in server.peers(on: loop) } ?? []
        }
        return peers
    }

    /// How many calls a connection has that are not over, of both sides.
    func calls(of connection: RPCConnection) async -> Int {
        let calls = await connection.loop.run {
            let (outgoing, incoming) = (
                connection.peer.core.outgoing.count, connection.peer.core.incoming.count
            )
            return outgoing + incoming
        }
        return calls ?? 0
    }

    /// Waits for what other threads are about to do; the suite's time limit is the backstop.
    func wait(until condition: () async -> Bool) async {
        while await !condition() { await Task.yield() }
    }

    func close() async {
        await calling.shutdown()
        await serving.shutdown()
    }
}

/// One end of a real connection that says frame by frame what a test tells it to.
///
/// Not `Sendable`: it belongs to the test's task.
final class FramePeer {
    /// What a response says.
    struct Answer: Equatable {
        var stream: UInt32
        var code = StatusCode.ok
        var payload: [UInt8] = []
    }

    private let connection: AsyncConnection
    private var inbound: AsyncConnection.Inbound.Iterator
    private var decoder = FrameDecoder()
    private var waiting: [Frame] = []

    init(_ connection: AsyncConnection) {
        self.connection = connection
        inbound = connection.inbound.makeAsyncIterator()
    }

    // MARK: - Saying

    /// Sends frames, all at once.
    func send(_ frames: Frame...) async throws { try await send(bytes: frames.flatMap(\.bytes)) }

    func send(bytes: [UInt8]) async throws { try await connection.write(bytes.span.bytes) }

    /// Says that nothing more comes.
    func endSending() { connection.closeWrite() }

    func close() async { await connection.close() }

    /// Resets the connection.
    func abort() { connection.abort() }

    // MARK: - Hearing

    /// The next frame; `nil` where the other side ended the connection, in whatever way.
    func next() async throws -> Frame? {
        while waiting.isEmpty {
            let received: ReceivedBytes?
            do {
                received = try await inbound.next()
            } catch {
                // A reset is an end, too.
                received = nil
            }
            guard let bytes = received else { return nil }
            waiting += try decoder.frames(in: Array(bytes))
        }
        return waiting.removeFirst()
    }

    /// The next frame, which has to be of this type.
    func frame(_ type: FrameType) async throws -> Frame {
        let next = try await next()
        let frame = try #require(next, "the connection ended")
        try #require(frame.header.type == type, "a frame of type \(frame.header.type.rawValue)")
        return frame
    }

    /// The next frame, which has to be an answer.
    func answer() async throws -> Answer {
        let frame = try await frame(.response)
        let envelope = try frame.data.withUnsafeBytes { try ResponseEnvelope($0) }
        return Answer(
            stream: frame.header.stream, code: StatusCode(rawValue: envelope.code),
            payload: Array(frame.data[envelope.payload]))
    }

    // MARK: - Extensions

    /// As a client: exchanges settings by a call with id 1, and sends `frames` with its own.
    func negotiate(_ frames: Frame...) async throws {
        try await send(
            Sample.request(
                1, service: Echo.serviceName, method: Echo.echo.name, announces: true))
        _ = try await frame(.settings)
        let answer = try await answer()
        #expect(answer == Answer(stream: 1))
        let settings = try Sample.control(.settings(PeerSettings()))
        try await send(bytes: ([settings] + frames).flatMap(\.bytes))
    }

    /// As a server: answers the first call of a client of ours, and exchanges settings with it.
    func acceptNegotiation() async throws {
        let first = try await frame(.request)
        try await send(
            try Sample.control(.settings(PeerSettings())), Sample.response(first.header.stream))
        _ = try await frame(.settings)
    }
}

/// What a call failed with; `nil` where it did not.
func failure(of call: () async throws -> [UInt8]) async -> RPCError? {
    do {
        _ = try await call()
        return nil
    } catch {
        return error as? RPCError
    }
}
