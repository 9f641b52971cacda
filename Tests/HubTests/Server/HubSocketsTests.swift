import Glibc
import Hub
import HubWorlds
import Logging
import NetPoll
import NetPollTesting
import Testing

@Suite("The sockets of a hub")
struct HubSocketsTests {
    @Test func `those that nothing listened on are closed`() async throws {
        let group = SimulatedNetwork().makeGroup()
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        let activated = try SocketActivation.descriptors(
            process: "\(getpid())", count: "1", names: nil, first: descriptor)
        var sockets: HubSockets? = try await HubSockets.take(activated, on: group)
        #expect(sockets != nil && fcntl(descriptor, F_GETFD) >= 0)
        sockets = nil
        #expect(fcntl(descriptor, F_GETFD) == -1)
    }

    /// Ends each connection.
    private final class Ending: ConnectionHandler {
        func opened(_ connection: Connection) { connection.close() }
        func received(_ bytes: inout MutableRawSpan, on connection: Connection) {}
        func closed(_ connection: Connection, reason: CloseReason) {}
    }

    private func makeGroup() throws -> EventLoopGroup {
        var configuration = EventLoopGroup.Configuration()
        configuration.loops = 2
        return try EventLoopGroup(configuration: configuration)
    }

    private func makeHub(on group: EventLoopGroup) -> HubServer {
        HubServer(
            group: group, application: LineApplication(),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    @Test(.timeLimit(.minutes(1)), arguments: [true, false])
    func `a server beside the hub gets its own sockets again; where there is none, nobody has them`(
        isShared: Bool
    ) async throws {
        let path = "/tmp/hub-sockets-\(UInt64.random(in: 0...(.max)))"
        let any = try SocketAddress(host: "127.0.0.1", port: 0)
        let (old, new) = (try makeGroup(), try makeGroup())
        let beside = try await old.listen(on: any) { _, _ in Ending() }
        let port = try #require(beside.address.port)
        let first = try await HubSockets.take(handover: path, on: old)
        let none = first.share(port: port) { await beside.descriptors() }
        #expect(none.isEmpty)
        let hub = makeHub(on: old)
        let bound = try await first.listen(hub, on: any)
        let never = AsyncStream<Void>.makeStream()
        async let isSucceeded = {
            let isSucceeded = await first.serve(hub, drainingWithin: .seconds(5)) {
                for await _ in never.stream {}
            }
            await beside.close()
            await first.letGo()
            return isSucceeded
        }()
        let second = try await HubSockets.take(handover: path, on: new)
        let hasHeir = await isSucceeded
        #expect(hasHeir)
        let own = isShared ? second.share(port: port) { [] } : []
        #expect(own.count == (isShared ? 2 : 0))
        let heir = makeHub(on: new)
        let again = try await second.listen(heir, on: any)
        #expect(again == bound)
        let served = await heir.listenerDescriptors()
        #expect(served.count == 2)
        // The port is in use as long as somebody has its sockets.
        if isShared {
            await #expect(throws: SystemError.self) {
                try await new.listen(on: beside.address) { _, _ in Ending() }
            }
            let goesOn = try await new.listen(adopting: own) { _, _ in Ending() }
            #expect(goesOn.address == beside.address)
        } else {
            _ = try await new.listen(on: beside.address) { _, _ in Ending() }
        }
        await second.letGo()
        await heir.drain(deadline: .seconds(5))
        await old.shutdown()
        await new.shutdown()
    }

    @Test(.timeLimit(.minutes(1)))
    func `a hub that listens on two ports passes both on, and its successor takes both`()
        async throws
    {
        let path = "/tmp/hub-sockets-\(UInt64.random(in: 0...(.max)))"
        let any = try SocketAddress(host: "127.0.0.1", port: 0)
        let (old, new) = (try makeGroup(), try makeGroup())
        let first = try await HubSockets.take(handover: path, on: old)
        let hub = makeHub(on: old)
        let bound = try await first.listen(hub, on: any)
        let other = try await hub.listen(on: any)
        let never = AsyncStream<Void>.makeStream()
        async let isSucceeded = {
            let isSucceeded = await first.serve(hub, drainingWithin: .seconds(5)) {
                for await _ in never.stream {}
            }
            await first.letGo()
            return isSucceeded
        }()
        let second = try await HubSockets.take(handover: path, on: new)
        let hasHeir = await isSucceeded
        #expect(hasHeir)
        let more = second.share(port: try #require(other.port)) { [] }
        let heir = makeHub(on: new)
        let again = try await second.listen(heir, on: any)
        let otherAgain = try await heir.listen(adopting: more)
        #expect([again, otherAgain] == [bound, other])
        let served = await heir.listenerDescriptors()
        #expect(served.count == 4)
        await second.letGo()
        await heir.drain(deadline: .seconds(5))
        await old.shutdown()
        await new.shutdown()
    }

    @Test(.timeLimit(.minutes(1)))
    func `of a service manager's sockets the hub has all that nobody else takes`() async throws {
        let any = try SocketAddress(host: "127.0.0.1", port: 0)
        let (manager, group) = (try makeGroup(), try makeGroup())
        var ports: [UInt16] = []
        var activated: [SocketActivation.Descriptor] = []
        for _ in 0..<3 {
            let listeners = try await manager.listen(on: any) { _, _ in Ending() }
            ports.append(try #require(listeners.address.port))
            let first = try #require(await listeners.descriptors().first)
            let copy = try Platform.duplicate(first)
            activated += try SocketActivation.descriptors(
                process: "\(getpid())", count: "1", names: nil, first: copy)
        }
        let sockets = try await HubSockets.take(activated, on: group)
        #expect(sockets.share(port: 0) { [] }.isEmpty)
        let own = sockets.share(port: ports[1]) { [] }
        #expect(own == [activated[1].descriptor])
        let hub = makeHub(on: group)
        _ = try await sockets.listen(hub, on: any)
        let served = Set(await hub.listenerDescriptors())
        #expect(served == [activated[0].descriptor, activated[2].descriptor])
        for socket in own { close(socket) }
        await hub.drain(deadline: .seconds(5))
        await manager.shutdown()
        await group.shutdown()
    }

    @Test(.timeLimit(.minutes(1)))
    func `a path where a successor may listen stays when the hub ends, and is listened on again`()
        async throws
    {
        let path = "/tmp/hub-sockets-\(UInt64.random(in: 0...(.max)))"
        defer { unlink(path) }
        for _ in 0..<2 {
            var configuration = EventLoopGroup.Configuration()
            configuration.loops = 1
            let group = try EventLoopGroup(configuration: configuration)
            let hub = HubServer(
                group: group, application: LineApplication(),
                logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
            try await hub.listen(on: .unix(path: path))
            await hub.stopAccepting()
            await hub.drain(deadline: .seconds(5))
            await group.shutdown()
            #expect(access(path, F_OK) == 0)
        }
    }
}
