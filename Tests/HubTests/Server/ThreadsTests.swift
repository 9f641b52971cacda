import Hub
import Logging
import NetPoll
import Testing
import WSFrame

@Suite("HubServer, on threads and sockets")
struct ThreadsTests {
    @Test(
        .timeLimit(.minutes(10)),
        .disabled(if: Sanitizer.isThread, "the sanitizer does not see the locks"))
    func `what many threads publish, all loops deliver in one order`() async throws {
        var configuration = EventLoopGroup.Configuration()
        configuration.loops = 3
        let group = try EventLoopGroup(configuration: configuration)
        let hub = HubServer(
            group: group, application: ScriptedApplication(),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let address = try await hub.listen(on: .v4(UInt32(0x7f00_0001).bigEndian, port: 0))
        let port = try #require(address.port)
        let clients = try (0..<9).map { _ in try SocketClient(port: port) }
        for client in clients {
            try client.say("join a")
            #expect(try client.nextText().hasPrefix("state a "))
        }
        let topic = try #require(hub.existingTopic("a"))
        let publishers = 4
        let each = 250
        await withTaskGroup { tasks in
            for publisher in 0..<publishers {
                tasks.addTask {
                    for number in 0..<each {
                        let head = "m \(publisher) \(number) "
                        let template = Array((head + Publication.offsetPlaceholder).utf8)
                        topic.publish(
                            Publication(
                                template: template, kind: .text, offsetAt: head.utf8.count))
                    }
                }
            }
        }
        let orders = try clients.map { client in
            try (0..<publishers * each).map { _ in try client.nextText() }
        }
        #expect(orders.allSatisfy { $0 == orders[0] })
        let offsets = orders[0].map { $0.split(separator: " ").last.map(String.init) }
        #expect(offsets == (1...publishers * each).map(String.init))
        await group.shutdown()
        #expect(hub.sessionCount == 0)
    }
}
