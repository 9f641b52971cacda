import ConnPool
import NetPoll
import NetPollTesting
import Synchronization
import Testing

@testable import RPC

/// Takes everything, and answers what it is told to: the first so many requests, as a plain peer.
///
/// Used on its loop only.
private final class SilentServer: ConnectionHandler {
    private var decoder = FrameDecoder()
    private var answers: Int

    init(answers: Int) {
        self.answers = answers
    }

    func received(_ bytes: inout MutableRawSpan, on connection: Connection) {
        let input = bytes.bytes.withUnsafeBytes { Array($0) }
        // A client of ours says nothing that cannot be read.
        guard let frames = try? decoder.frames(in: input) else { return connection.abort() }
        for frame in frames where frame.header.type == .request && answers > 0 {
            answers -= 1
            connection.write(Sample.response(frame.header.stream, [7]).bytes.span.bytes)
        }
    }

    func receivedEnd(on connection: Connection) { connection.close() }
}

@Suite("Peers that fall silent and cannot be pinged, simulated", .timeLimit(.minutes(10)))
struct SilentPeerTests {
    private struct Setup {
        let world: RPCWorld
        let address: SocketAddress
        private let accepts = AcceptCount()

        private final class AcceptCount: Sendable {
            let value = Mutex(0)
        }

        /// Each connection has so many requests answered.
        init(answers: Int) throws {
            world = try RPCWorld()
            let any = try SocketAddress(host: "127.0.0.1", port: 0)
            let listening = try world.run { [group = world.group, accepts] in
                try await group.listen(on: any) { _, _ in
                    accepts.value.withLock { $0 += 1 }
                    return SilentServer(answers: answers)
                }
            }
            address = listening.address
        }

        var accepted: Int { accepts.value.withLock { $0 } }

        func connect(_ configuration: RPCConfiguration = .init()) throws -> RPCConnection {
            try world.run { [address, loop = world.loop] in
                try await RPCConnection.connect(
                    to: address, on: loop, configuration: configuration)
            }
        }

        /// Calls, and lets so many seconds pass, in which it fails.
        func call(_ connection: RPCConnection, seconds: Int = 1) -> RPCError? {
            let options = CallOptions(timeout: .seconds(1))
            let call = world.start {
                try await connection.call(Echo.echo, [], options: options)
            }
            world.network.run(for: .seconds(seconds) + .milliseconds(5))
            return call.error
        }
    }

    /// 20 s of silence and 10 s after the ping, by default.
    @Test(arguments: [0, 1])
    func `a connection on which nothing is answered for a ping's times takes no more calls`(
        answers: Int
    ) throws {
        let setup = try Setup(answers: answers)
        let connection = try setup.connect()
        for _ in 0..<answers { #expect(setup.call(connection) == nil) }
        for _ in 0..<30 { #expect(setup.call(connection)?.code == .deadlineExceeded) }
        #expect(setup.call(connection)?.code == .deadlineExceeded)
        // The first of these deadlines passed 30 s ago.
        let late = setup.call(connection)
        #expect(late?.code == .unavailable)
        #expect(late?.execution == .notRun)
        setup.world.network.run(for: .seconds(10))
        // The listeners alone are left.
        #expect(setup.world.network.openDescriptors == 2)
    }

    @Test func `calls that run on it go on to their own ends`() throws {
        let setup = try Setup(answers: 0)
        let connection = try setup.connect()
        let long = setup.world.start {
            try await connection.call(
                Echo.echo, [], options: CallOptions(timeout: .seconds(45)))
        }
        for _ in 0..<31 { _ = setup.call(connection) }
        #expect(setup.call(connection)?.code == .unavailable)
        setup.world.network.run(for: .seconds(12))
        #expect(!long.isOver)
        setup.world.network.run(for: .seconds(2))
        #expect(long.error?.code == .deadlineExceeded)
        setup.world.network.run(for: .seconds(10))
        #expect(setup.world.network.openDescriptors == 2)
    }

    @Test func `one deadline that passes, however long ago, is no silence`() throws {
        let setup = try Setup(answers: 0)
        let connection = try setup.connect()
        #expect(setup.call(connection, seconds: 3_600)?.code == .deadlineExceeded)
        let again = setup.world.start {
            try await connection.call(Echo.echo, [], options: CallOptions(timeout: .seconds(1)))
        }
        setup.world.network.run(for: .milliseconds(500))
        #expect(!again.isOver)
    }

    @Test func `an answer now and then is a sign of life`() throws {
        let world = try RPCWorld(
            configuration: {
                var configuration = RPCConfiguration()
                configuration.negotiatesExtensions = false
                return configuration
            }())
        let connection = try world.connect()
        for _ in 0..<10 {
            for _ in 0..<20 {
                let slow = world.start {
                    try await connection.call(
                        Echo.wait, [], options: CallOptions(timeout: .seconds(1)))
                }
                world.network.run(for: .milliseconds(1_005))
                #expect(slow.error?.code == .deadlineExceeded)
            }
            #expect(try world.run { try await connection.call(Echo.echo, [7]) } == [7])
        }
    }

    @Test func `without pings such a connection is kept, too`() throws {
        let setup = try Setup(answers: 0)
        var configuration = RPCConfiguration()
        configuration.pingInterval = nil
        let connection = try setup.connect(configuration)
        for _ in 0..<60 { #expect(setup.call(connection)?.code == .deadlineExceeded) }
    }

    @Test func `a client makes another connection instead`() throws {
        let setup = try Setup(answers: 0)
        let world = setup.world
        let client = RPCClient(to: .address(setup.address), on: world.group.loops)
        let options = CallOptions(timeout: .seconds(1))
        for second in 0..<60 {
            let call = world.start { try await client.call(Echo.echo, [], options: options) }
            world.network.run(for: .milliseconds(1_005))
            #expect(call.error?.code == .deadlineExceeded, "after \(second) s")
        }
        #expect(setup.accepted == 2)
        _ = try world.run { await client.close() }
    }
}
