import Hub
import HubTesting
import HubWorlds
import NetPollTesting
import Synchronization
import Testing

@Suite("Listeners on the server's side, on the simulated network")
struct TopicListenerTests {
    private final class Ear: Sendable {
        private let heard = Mutex<[String]>([])

        func hear(_ message: HeardMessage) {
            heard.withLock {
                $0.append(
                    "\(message.topic) \(message.position?.offset ?? 0) \(message.message.payload.text)"
                )
            }
        }

        func take() -> [String] {
            heard.withLock { heard in
                defer { heard = [] }
                return heard
            }
        }
    }

    @Test func `a pattern hears the topics there are and those that come, each in its order`()
        async throws
    {
        let bench = try await LineBench()
        let (rooms, all) = (Ear(), Ear())
        let ann = try bench.join("ann")
        _ = bench.ask(ann, "pub 1 rooms/a stored - before")
        bench.hub.onPublication(to: "rooms/*") { rooms.hear($0) }
        bench.hub.onPublication(to: "**") { all.hear($0) }
        for number in 2...4 { ann.say("pub \(number) rooms/a stored - m\(number)") }
        ann.say("pub 5 rooms/b transient - hint")
        ann.say("pub 6 other stored - x")
        bench.network.run(for: .seconds(1))
        let heard = rooms.take()
        #expect(
            heard.filter { $0.hasPrefix("rooms/a") }
                == ["rooms/a 2 m2", "rooms/a 3 m3", "rooms/a 4 m4"])
        #expect(heard.filter { $0.hasPrefix("rooms/b") } == ["rooms/b 0 hint"])
        #expect(heard.count == 4)
        #expect(Set(all.take()) == Set(heard + ["other 1 x"]))
    }

    @Test func `a listener that is removed hears no more`() async throws {
        let bench = try await LineBench()
        let ear = Ear()
        let ann = try bench.join("ann")
        let id = bench.hub.onPublication(to: "a") { ear.hear($0) }
        _ = bench.ask(ann, "pub 1 a stored - one")
        #expect(ear.take() == ["a 1 one"])
        bench.hub.removeListener(id)
        _ = bench.ask(ann, "pub 2 a stored - two")
        #expect(ear.take() == [])
    }

    @Test func `of a durable store's topics it hears what the store has`() async throws {
        let store = SlowStore()
        let bench = try await LineBench { $0.store = store }
        let ear = Ear()
        bench.hub.onPublication(to: "a") { ear.hear($0) }
        let ann = try bench.join("ann")
        _ = bench.ask(ann, "pub 1 a stored - one")
        #expect(ear.take() == ["a 1 one"])
        store.fails = true
        _ = bench.ask(ann, "pub 2 a stored - lost")
        #expect(ear.take() == [])
    }

    @Test func `presence is not heard, and what is not heard in time is refused`() async throws {
        let bench = try await LineBench(loops: 1) { $0.topic.undeliveredMessagesMax = 4 }
        let ear = Ear()
        bench.hub.onPublication(to: "a") { ear.hear($0) }
        let ann = try bench.join("ann")
        _ = bench.ask(ann, "sub 1 a")
        bench.network.run(for: .seconds(1))
        #expect(ear.take() == [])
        let topic = try #require(bench.hub.topic("b"))
        bench.hub.onPublication(to: "b") { ear.hear($0) }
        let outcomes = (1...5).map { topic.publish(Publication(text: "\($0)")) }
        #expect(outcomes.last == .overloaded)
        #expect(outcomes.dropLast().allSatisfy { $0 != .overloaded })
        bench.network.run(for: .seconds(1))
        #expect(ear.take().count == 4)
    }
}
