import Glibc
import MessagePack
import NetPoll
import Testing

@testable import MessagePackRPC

@Suite("Bounds of configurations, MessagePack-RPC", .timeLimit(.minutes(5)))
struct ConfigurationTests {
    private static let bounds: [@Sendable (inout MessagePackRPCConfiguration, Bool) -> Void] = [
        { $0.callsInFlightMax = $1 ? 1 : 0 },
        { $0.callsInFlightMax = $1 ? 65_536 : 65_537 },
        { $0.requestsInFlightMax = $1 ? 1 : 0 },
        { $0.messageBytesMax = $1 ? 128 : 127 },
        { $0.messageBytesMax = $1 ? 1 << 30 : 1 << 30 + 1 },
        { $0.values.depthMax = $1 ? 2 : 1 },
        { $0.values.elementsMax = $1 ? 4 : 3 },
        { $0.values.bytesMax = $1 ? 0 : -1 },
        { $0.callTimeout = $1 ? .nanoseconds(1) : .zero },
    ]

    @Test(arguments: bounds.indices)
    func `a setting at its bound is taken, one beyond it traps`(number: Int) async {
        var configuration = MessagePackRPCConfiguration()
        Self.bounds[number](&configuration, true)
        configuration.check()
        await #expect(processExitsWith: .failure) { [number] in
            var configuration = MessagePackRPCConfiguration()
            Self.bounds[number](&configuration, false)
            configuration.check()
        }
    }

    @Test func `at the lowest bounds, calls go and are refused in words`() throws {
        var configuration = MessagePackRPCConfiguration()
        configuration.messageBytesMax = 128
        configuration.values = MessagePackReader.Limits(depthMax: 2, elementsMax: 6, bytesMax: 100)
        let world = try PeerWorld(configuration, handlers: .standard(Witness()))
        let client = try world.connect()
        #expect(try world.run { try await client.call("add", 1, 2, returning: Int.self) } == 3)
        let error = try #require(throws: MessagePackRPCError.self) {
            try world.run { try await client.call("bytes", 1_000) }
        }
        let fault = MessagePackRPCFault("an answer of 1007 bytes exceeds 128")
        #expect(error.reason == .answered(fault))
    }

    /// Gives a configuration to what is made of one: a server, or a connection.
    private static func give(_ configuration: MessagePackRPCConfiguration, to place: Int) throws {
        let world = try PeerWorld(handlers: .standard(Witness()))
        switch place {
        case 0:
            _ = MessagePackRPCServer(
                group: world.group, handlers: .init(), configuration: configuration)
        default: _ = try world.connect(configuration)
        }
    }

    @Test(arguments: 0..<2)
    func `a configuration is checked where it is given`(place: Int) async throws {
        try Self.give(MessagePackRPCConfiguration(), to: place)
        await #expect(processExitsWith: .failure) { [place] in
            var configuration = MessagePackRPCConfiguration()
            configuration.requestsInFlightMax = 0
            // An error would be no trap.
            do { try Self.give(configuration, to: place) } catch {}
        }
    }

    @Test func `a connection has TCP's keepalive, on real sockets`() async throws {
        var settings = EventLoopGroup.Configuration()
        settings.loops = 1
        let group = try EventLoopGroup(configuration: settings)
        let server = MessagePackRPCServer(group: group, handlers: .standard(Witness()))
        let any = try SocketAddress(host: "127.0.0.1", port: 0)
        let address = try await server.listen(on: any)
        let client = try await MessagePackRPCConnection.connect(to: address, on: group.loops[0])
        try await client.call("nothing")
        for connection in [client] + server.connections {
            let probes = await connection.loop.run { () -> [Int32] in
                [SO_KEEPALIVE, TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT].map { name in
                    let level = name == SO_KEEPALIVE ? SOL_SOCKET : Int32(IPPROTO_TCP)
                    var value: Int32 = -1
                    var length = socklen_t(4)
                    getsockopt(
                        connection.peer.connection.descriptor, level, name, &value, &length)
                    return value
                }
            }
            #expect(probes == [1, 30, 5, 3])
        }
        client.close()
        await server.drain()
        await group.shutdown()
    }
}
