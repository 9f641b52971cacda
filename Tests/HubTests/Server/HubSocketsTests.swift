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
