import ConnPool
import Glibc
import NetPoll
import Testing

@testable import RPC

@Suite("TCP's keepalive, real sockets", .timeLimit(.minutes(5)))
struct KeepAliveTests {
    /// Seconds of silence, between probes, and how many probes; `nil` where there are none.
    private func keepAlive(of connection: RPCConnection) async -> [Int32]? {
        let values = await connection.loop.run { () -> [Int32] in
            let descriptor = connection.peer.connection.descriptor
            func option(_ level: Int32, _ name: Int32) -> Int32 {
                var value: Int32 = -1
                var length = socklen_t(4)
                getsockopt(descriptor, level, name, &value, &length)
                return value
            }
            let tcp = Int32(IPPROTO_TCP)
            return [
                option(SOL_SOCKET, SO_KEEPALIVE), option(tcp, TCP_KEEPIDLE),
                option(tcp, TCP_KEEPINTVL), option(tcp, TCP_KEEPCNT),
            ]
        }
        guard let values, values[0] != 0 else { return nil }
        return Array(values[1...])
    }

    private func keepAlive(
        _ world: SocketWorld, _ configuration: RPCConfiguration, _ connecting: ConnectConfiguration
    ) async throws -> [[Int32]?] {
        let connection = try await RPCConnection.connect(
            to: world.address, on: world.calling.loops[0], configuration: configuration,
            connecting: connecting)
        _ = try await connection.call(Echo.echo, [])
        let peers = await world.peers()
        let peer = try #require(peers.first)
        let both = await [keepAlive(of: connection), keepAlive(of: peer)]
        connection.close()
        await world.wait { await world.peers().isEmpty }
        return both
    }

    @Test func `both sides find a host that vanished in 45 seconds, by default`() async throws {
        let world = try await SocketWorld()
        let both = try await keepAlive(world, .init(), .init())
        #expect(both == [[30, 5, 3], [30, 5, 3]])
        await world.close()
    }

    @Test func `it is as it is configured, or off`() async throws {
        var configuration = RPCConfiguration()
        configuration.tcpKeepAlive = nil
        let world = try await SocketWorld(configuration: configuration)
        let off = try await keepAlive(world, configuration, .init())
        #expect(off == [nil, nil])
        configuration.tcpKeepAlive = SocketOptions.KeepAlive()
        let on = try await keepAlive(world, configuration, .init())
        #expect(on == [[60, 10, 6], nil])
        // What was said of the socket itself counts.
        var connecting = ConnectConfiguration()
        connecting.options.keepAlive = SocketOptions.KeepAlive()
        let own = try await keepAlive(world, .init(), connecting)
        #expect(own == [[60, 10, 6], nil])
        await world.close()
    }

    @Test func `a client's connections have it as well`() async throws {
        let world = try await SocketWorld()
        let client = RPCClient(to: .address(world.address), on: world.calling.loops)
        _ = try await client.call(Echo.echo, [])
        let connection = try await client.pool.withConnection { $0.connection }
        let values = await keepAlive(of: connection)
        #expect(values == [30, 5, 3])
        await client.close()
        await world.close()
    }
}
