import ConnPool
import NetPoll
import Synchronization
import Testing

@testable import RPC

@Suite("RPCClient, real sockets", .timeLimit(.minutes(5)))
struct RestartTests {
    /// How many calls are over.
    private final class Progress: Sendable {
        private let ended = Atomic<Int>(0)

        var count: Int { ended.load(ordering: .relaxed) }

        func advance() -> Int { ended.add(1, ordering: .relaxed).newValue }
    }

    /// A server that can be killed: its connections are reset, and its port is free.
    private struct Process: Sendable {
        let server: RPCServer

        func kill() async {
            for loop in server.group.loops {
                await withCheckedContinuation { continuation in
                    loop.execute { [server] in
                        for peer in server.peers(on: loop) { peer.close() }
                        continuation.resume()
                    }
                }
            }
            await server.drain(deadline: .milliseconds(1))
        }
    }

    private func start(
        _ group: EventLoopGroup, _ address: SocketAddress
    ) async throws -> (Process, SocketAddress) {
        var handlers = RPCHandlers()
        handlers.handle(Work.tryAgain) { request, _ in request }
        handlers.handle(Work.name) { request, _ in request }
        let server = RPCServer(group: group, handlers: handlers)
        return (Process(server: server), try await server.listen(on: address))
    }

    /// Kills the server and starts another at its address whenever it is told to.
    ///
    /// - Returns: How often.
    private func restart(
        _ first: Process, _ group: EventLoopGroup, _ address: SocketAddress,
        when kills: AsyncStream<Void>
    ) async throws -> Int {
        var process = first
        var count = 0
        for await _ in kills {
            await process.kill()
            process = try await start(group, address).0
            count += 1
        }
        await process.kill()
        return count
    }

    @Test func `a server is killed and restarted under load: no call hangs, safe ones succeed`()
        async throws
    {
        let workers = 16
        let callsEach = 250
        var settings = EventLoopGroup.Configuration()
        settings.loops = 1
        let (serving, calling) = (
            try EventLoopGroup(configuration: settings), try EventLoopGroup(configuration: settings)
        )
        let (first, address) = try await start(
            serving, try SocketAddress(host: "127.0.0.1", port: 0))
        var configuration = RPCClientConfiguration()
        configuration.retry?.attemptsMax = 20
        configuration.retry?.budget.tokensMax = 100_000
        configuration.pool.pool.backoff = .init(base: .milliseconds(5), cap: .milliseconds(50))
        let client = RPCClient(
            to: .address(address), on: calling.loops, configuration: configuration)
        let progress = Progress()
        let (kills, killer) = AsyncStream<Void>.makeStream()
        async let restarts = restart(first, serving, address, when: kills)
        let lost = await withTaskGroup(of: Int.self) { group in
            for worker in 0..<workers {
                group.addTask {
                    var lost = 0
                    for number in 0..<callsEach {
                        let isSafe = (worker + number) % 2 == 0
                        let request = [UInt8(worker), UInt8(number)]
                        do throws(RPCError) {
                            let method = isSafe ? Work.tryAgain : Work.name
                            let reply = try await client.call(method, request)
                            #expect(reply == request)
                        } catch {
                            #expect(!isSafe, "\(error)")
                            #expect(error.code == .unavailable && error.execution == .unknown)
                            lost += 1
                        }
                        if progress.advance() % 800 == 0 { killer.yield() }
                    }
                    return lost
                }
            }
            return await group.reduce(0, +)
        }
        killer.finish()
        #expect(progress.count == workers * callsEach)
        #expect(client.snapshot.inFlight == 0)
        await client.close()
        #expect(try await restarts == 5)
        // At most what was on its way at each kill.
        #expect(lost <= 5 * workers)
        await calling.shutdown()
        await serving.shutdown()
    }
}
