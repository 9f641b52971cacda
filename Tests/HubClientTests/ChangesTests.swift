import Hub
import HubClientKit
import HubTesting
import NetPoll
import NetPollTesting
import Synchronization
import Testing
import WSFrame
import WSTransport

@Suite("A client of a hub that stalls, and of topics that come and go, on the simulated network")
struct ChangesTests {
    @Test func `a hub that does not answer a login in time is tried again`() async throws {
        let bench = try await ClientBench()
        let asked = Mutex(0)
        let held = Mutex<CheckedContinuation<Void, Never>?>(nil)
        bench.world.hub.onRequest(
            "login", as: String.self,
            task: { name, _ in
                let number = asked.withLock { count in
                    count += 1
                    return count
                }
                if number == 1 {
                    await withCheckedContinuation { continuation in
                        held.withLock { $0 = continuation }
                    }
                }
                return name
            })
        let payload = try Payload(json: "ann")
        let (_, hears) = bench.client("anonymous") {
            $0.login = HubMessage(payload, event: "login")
            $0.callTimeout = .seconds(3)
        }
        bench.world.run(for: .seconds(2.9))
        #expect(hears.retries.isEmpty)
        bench.world.run(for: .seconds(30))
        #expect(asked.withLock { $0 } == 2)
        #expect(hears.retries.count == 1)
        #expect(hears.resumptions == [false])
        held.withLock { $0 }?.resume()
    }

    @Test func `each attempt has a request of its own`() async throws {
        let bench = try await ClientBench { $0.resume = nil }
        let count = Mutex(0)
        let (_, hears) = bench.client("nobody") {
            $0.renewRequest = { request in
                let number = count.withLock { count in
                    count += 1
                    return count
                }
                request.target = "/ws?user\(number)"
                request.subprotocols = ["not the client's"]
            }
        }
        bench.world.run(for: .seconds(1))
        #expect(bench.world.hub.sessions(of: "user1").count == 1)
        bench.cutOff()
        bench.world.run(for: .seconds(5))
        #expect(bench.world.hub.sessions(of: "user2").count == 1)
        #expect(hears.resumptions == [false, false])
    }

    @Test func `a topic that was left may be given by the hub`() async throws {
        let bench = try await ClientBench { $0.resume = nil }
        let (ann, hears) = bench.client("ann")
        try bench.wait {
            try await ann.subscribe(to: "a")
            try await ann.unsubscribe(from: "a")
        }
        let hub = bench.world.hub
        let topic = try #require(hub.topic("a"))
        let id = try #require(hub.sessions(of: "ann").first)
        hub.withSession(id) { session in
            do throws(SubscribeError) {
                try session.follow(topic)
            } catch {
                Issue.record(error)
            }
        }
        bench.world.run(for: .seconds(1))
        topic.publish(Publication(HubMessage(text: "hi")))
        bench.world.run(for: .seconds(1))
        #expect(hears.texts == ["hi"])
    }

    @Test func `a topic that was left and is asked for again at once is kept`() async throws {
        let bench = try await ClientBench { $0.resume = nil }
        let (ann, hears) = bench.client("ann")
        try bench.wait { try await ann.subscribe(to: "a") }
        let done = Mutex(0)
        bench.start {
            try await ann.unsubscribe(from: "a")
            done.withLock { $0 += 1 }
        }
        bench.start {
            _ = try await ann.subscribe(to: "a")
            done.withLock { $0 += 1 }
        }
        bench.world.run(for: .seconds(1))
        #expect(done.withLock { $0 } == 2)
        bench.cutOff()
        bench.world.run(for: .seconds(5))
        bench.world.hub.topic("a")?.publish(Publication(HubMessage(text: "hi")))
        bench.world.run(for: .seconds(1))
        #expect(hears.texts == ["hi"])
    }

    @Test func `a topic that the hub cannot take now is asked for again in the next session`()
        async throws
    {
        let bench = try await ClientBench { $0.resume = nil }
        let (ann, hears) = bench.client("ann")
        try bench.wait {
            try await ann.subscribe(to: "a")
            try await ann.subscribe(to: "b")
        }
        bench.application.busy.withLock { $0 = 3 }
        bench.cutOff()
        bench.world.run(for: .seconds(20))
        for topic in ["a", "b"] {
            bench.world.hub.topic(topic)?.publish(Publication(HubMessage(text: topic)))
        }
        bench.world.run(for: .seconds(1))
        #expect(Set(hears.texts) == ["a", "b"])
        // Three were refused, and two taken.
        #expect(bench.application.busy.withLock { $0 } == -2)
        #expect(
            !hears.events.contains {
                if case .unsubscribed = $0 { true } else { false }
            })
    }
}
