import Hub
import HubClientKit
import HubTesting
import NetPoll
import NetPollTesting
import Synchronization
import Testing
import WSFrame
import WSTransport

@Suite("A client that keeps its session, on the simulated network")
struct HubClientTests {
    @Test(arguments: [JSONProtocol(), MessagePackProtocol()] as [any EnvelopeProtocol])
    func `clients publish, hear each other, and know who is there`(
        spoken: any EnvelopeProtocol
    ) async throws {
        let bench = try await ClientBench()
        let (ann, annHears) = bench.client("ann") { $0.spoken = spoken }
        let (bob, bobHears) = bench.client("bob")
        try bench.wait {
            try await ann.subscribe(to: "a")
            try await bob.subscribe(to: "a")
        }
        bench.world.run(for: .seconds(1))
        let position = try bench.wait {
            try await ann.publish(HubMessage(text: "stored"), to: "a")
        }
        #expect(position?.offset == 1)
        let transient = try bench.wait {
            try await bob.publish(
                HubMessage(Payload([0, 255], format: .binary)), to: "a", durability: .transient)
        }
        #expect(transient == nil)
        ann.publishVolatile(HubMessage(text: "typing"), to: "a")
        bench.world.run(for: .seconds(1))
        #expect(annHears.texts == bobHears.texts)
        #expect(annHears.texts.count == 3)
        let (users, count) = try bench.wait { try await bob.members(of: "a") }
        #expect(users == ["ann", "bob"] && count == 2)
        let page = try bench.wait { try await bob.history(of: "a") }
        #expect(page.messages.map(\.message.payload.text) == ["stored"])
        try bench.wait { try await bob.unsubscribe(from: "a") }
        _ = try bench.wait { try await ann.publish(HubMessage(text: "more"), to: "a") }
        bench.world.run(for: .seconds(1))
        #expect(annHears.texts.count == 4 && bobHears.texts.count == 3)
        #expect(
            annHears.events.contains {
                if case .presence("a", let changes) = $0 { changes.left == ["bob"] } else { false }
            })
    }

    @Test func `the application and a client ask and tell each other`() async throws {
        let bench = try await ClientBench()
        bench.world.hub.onRequest("double", as: Int.self) { number, _ in number * 2 }
        let (ann, hears) = bench.client("ann")
        let answer = try bench.wait {
            try await ann.request(HubMessage(try Payload(json: 21), event: "double"))
        }
        #expect(try answer.decoded(as: Int.self) == 42)
        ann.send(HubMessage(text: "hello"))
        bench.world.run(for: .seconds(1))
        #expect(hears.events.contains(.message(HubMessage(Payload(text: "hello"), event: "echo"))))
        let hub = bench.world.hub
        let id = try #require(hub.sessions(of: "ann").first)
        let reply = try bench.wait { try await hub.request(HubMessage(text: "you?"), of: id) }
        #expect(reply.text == "re: you?")
        #expect(throws: HubClientError.self) {
            try bench.wait { try await ann.refresh(credentials: "bad") }
        }
    }

    @Test func `one that was cut off goes on where it was, without gap or duplicate`() async throws
    {
        let bench = try await ClientBench()
        let (ann, hears) = bench.client("anonymous")
        try bench.wait { try await ann.subscribe(to: "a") }
        bench.world.run(for: .seconds(1))
        let topic = try #require(bench.world.hub.topic("a"))
        for number in 1...30 {
            if number % 10 == 5 { bench.cutOff() }
            topic.publish(Publication(HubMessage(text: "\(number)")))
            bench.world.run(for: .milliseconds(50))
            if number % 10 == 0 { bench.world.run(for: .seconds(10)) }
        }
        #expect(hears.texts == (1...30).map(String.init))
        #expect(hears.resumptions == [false, true, true, true])
        #expect(hears.retries.count == 3 && !hears.retries.contains(nil))
        #expect(hears.subscriptions.dropFirst().allSatisfy { $0.isRecovered })
    }

    @Test func `a topic that is asked for again without a connection goes on where it was`()
        async throws
    {
        let bench = try await ClientBench { $0.resume = nil }
        let (ann, hears) = bench.client("ann")
        try bench.wait { try await ann.subscribe(to: "a") }
        let topic = try #require(bench.world.hub.topic("a"))
        bench.cutOff()
        _ = bench.world.network.run(within: .seconds(5)) { topic.subscriberCount == 0 }
        bench.start { try await ann.subscribe(to: "a") }
        for number in 1...3 { topic.publish(Publication(HubMessage(text: "\(number)"))) }
        bench.world.run(for: .seconds(5))
        #expect(hears.texts == ["1", "2", "3"])
        #expect(hears.subscriptions.map(\.isRecovered) == [false, true])
    }

    @Test func `without tokens it subscribes again by itself, and hears of a gap`() async throws {
        let bench = try await ClientBench {
            $0.resume = nil
            $0.topic.historyMessagesMax = 5
        }
        let (ann, hears) = bench.client("ann")
        try bench.wait { try await ann.subscribe(to: "a") }
        let topic = try #require(bench.world.hub.topic("a"))
        for count in [3, 8] {
            bench.cutOff()
            // It is gone, and has not come back.
            _ = bench.world.network.run(within: .seconds(5)) { topic.subscriberCount == 0 }
            for number in 1...count {
                topic.publish(Publication(HubMessage(text: "\(count):\(number)")))
            }
            bench.world.run(for: .seconds(5))
        }
        #expect(hears.resumptions == [false, false, false])
        #expect(hears.subscriptions.map(\.isRecovered) == [false, true, false])
        #expect(hears.texts == (1...3).map { "3:\($0)" } + (4...8).map { "8:\($0)" })
    }

    @Test func `a token outlives the client's process and, with a durable store, the hub's`()
        async throws
    {
        let before = try await ClientBench()
        let (ann, hears) = before.client("ann")
        try before.wait { try await ann.subscribe(to: "a") }
        before.world.run(for: .seconds(1))
        let token = try #require(hears.tokens.last)
        let after = try await ClientBench()
        let (_, hearsAfter) = after.client("anonymous") { $0.token = token }
        after.world.run(for: .seconds(1))
        #expect(hearsAfter.resumptions == [true])
        // The stores are in memory: it is told that this is another life of the topic.
        #expect(hearsAfter.subscriptions.map(\.isRecovered) == [false])
        #expect(after.world.hub.sessions(of: "ann").count == 1)
    }

    @Test(arguments: ["not a token", "a,b", "\u{e9}\r\n"])
    func `a stored token that is none makes a new session`(token: String) async throws {
        let bench = try await ClientBench()
        let (_, hears) = bench.client("ann") { $0.token = token }
        bench.world.run(for: .seconds(1))
        #expect(hears.resumptions == [false])
        #expect(hears.retries.isEmpty)
    }

    @Test func `it comes again when the close of its connection says`() async throws {
        let bench = try await ClientBench()
        let (_, hears) = bench.client("ann")
        bench.world.run(for: .seconds(1))
        let hint = RetryHint(.milliseconds(7_500))
        bench.world.hub.kick(
            Recipients(.everyone), code: .tooMany, reason: hint.closeReason("too fast"))
        bench.world.run(for: .seconds(7))
        #expect(hears.retries == [hint.delay])
        #expect(hears.resumptions.count == 1)
        bench.world.run(for: .seconds(1))
        #expect(hears.resumptions.count == 2)
        // That was for this once.
        bench.cutOff()
        bench.world.run(for: .seconds(1))
        let second = try #require(hears.retries.last ?? nil)
        #expect(second < .seconds(1))
    }

    @Test func `it comes again when the answer that refused it says`() async throws {
        let bench = try await ClientBench {
            var rate = HandshakeRate()
            (rate.perSecond, rate.burst, rate.reservedForResumes) = (1, 1, 0)
            $0.handshakeRate = rate
        }
        let (_, first) = bench.client("ann")
        bench.world.run(for: .milliseconds(100))
        let (_, second) = bench.client("bob")
        bench.world.run(for: .milliseconds(100))
        #expect(first.resumptions.count == 1)
        let delay = try #require(second.retries.first ?? nil)
        #expect(delay >= .seconds(1) && delay <= .seconds(2))
        bench.world.run(for: .seconds(3))
        #expect(second.resumptions == [false])
    }

    @Test func `what is asked without a connection is asked when there is one`() async throws {
        let bench = try await ClientBench()
        bench.world.network.setRoute(.refused, to: bench.world.address)
        let (ann, hears) = bench.client("ann") { $0.callTimeout = .seconds(300) }
        let position = Mutex<TopicPosition?>(nil)
        bench.start {
            try await ann.subscribe(to: "a")
            let place = try await ann.publish(HubMessage(text: "hi"), to: "a")
            position.withLock { $0 = place }
        }
        bench.world.run(for: .seconds(10))
        #expect(hears.resumptions.isEmpty)
        #expect(hears.retries.count > 3)
        bench.world.network.setRoute(.open, to: bench.world.address)
        _ = bench.world.network.run(within: .seconds(100)) { hears.texts == ["hi"] }
        #expect(position.withLock { $0 }?.offset == 1)
        #expect(hears.texts == ["hi"])
    }

    @Test func `a topic left while cut off does not come back with the token`() async throws {
        let bench = try await ClientBench()
        let (ann, hears) = bench.client("ann")
        try bench.wait {
            try await ann.subscribe(to: "a")
            try await ann.subscribe(to: "b")
        }
        bench.world.run(for: .seconds(1))
        bench.cutOff()
        _ = bench.world.network.run(within: .seconds(5)) { hears.retries.count == 1 }
        try bench.wait { try await ann.unsubscribe(from: "a") }
        bench.world.run(for: .seconds(5))
        #expect(hears.resumptions == [false, true])
        for topic in ["a", "b"] {
            bench.world.hub.topic(topic)?.publish(Publication(HubMessage(text: topic)))
        }
        bench.world.run(for: .seconds(1))
        #expect(hears.texts == ["b"])
        #expect(bench.world.hub.topic("a")?.subscriberCount == 0)
    }

    @Test func `a client that is not let in gives up`() async throws {
        let bench = try await ClientBench()
        let (_, kicked) = bench.client("ann")
        bench.world.run(for: .seconds(1))
        bench.cutOff(code: .policyViolation)
        bench.world.run(for: .seconds(60))
        #expect(kicked.retries == [nil])
        let (eve, refused) = bench.client("eve") { $0.login = HubMessage(text: "no such event") }
        bench.world.run(for: .seconds(60))
        #expect(refused.retries == [nil])
        #expect(refused.resumptions.isEmpty)
        #expect(throws: HubClientError.stopped) {
            try bench.wait { try await eve.subscribe(to: "a") }
        }
    }

    @Test func `a login comes before everything else, and only in new sessions`() async throws {
        let bench = try await ClientBench()
        let logins = Mutex(0)
        bench.world.hub.onRequest("login", as: String.self) { name, session in
            logins.withLock { $0 += 1 }
            try session.identify(as: name)
            return true
        }
        let payload = try Payload(json: "ann")
        let (ann, hears) = bench.client("anonymous") {
            $0.login = HubMessage(payload, event: "login")
        }
        try bench.wait { try await ann.subscribe(to: "a") }
        bench.world.run(for: .seconds(1))
        #expect(bench.world.hub.topic("a")?.userCount == 1)
        bench.cutOff()
        bench.world.run(for: .seconds(5))
        #expect(hears.resumptions == [false, true])
        #expect(logins.withLock { $0 } == 1)
        #expect(bench.world.hub.sessions(of: "ann").count == 1)
    }

    @Test func `messages of the inbox are told once and acknowledged`() async throws {
        let bench = try await ClientBench { $0.inbox = InboxPolicy() }
        let hub = bench.world.hub
        let (_, hears) = bench.client("ann")
        bench.world.run(for: .seconds(1))
        for number in 1...3 {
            _ = try bench.wait { try await hub.deposit(HubMessage(text: "\(number)"), for: "ann") }
        }
        bench.world.run(for: .seconds(30))
        #expect(hears.inbox == ["1", "2", "3"])
        let rest = try bench.wait { try await hub.unacknowledged(of: "ann") }
        #expect(rest.messages.isEmpty)
    }

    @Test func `calls are refused, bounded, timed and ended`() async throws {
        let bench = try await ClientBench()
        let (ann, _) = bench.client("ann") {
            $0.callsMax = 2
            $0.callTimeout = .seconds(3)
        }
        bench.world.run(for: .seconds(1))
        let refused = #expect(throws: HubClientError.self) {
            try bench.wait { try await ann.subscribe(to: "secret") }
        }
        guard case .failed(let failure) = refused else {
            Issue.record("\(String(describing: refused))")
            return
        }
        #expect(failure.code == .forbidden)
        bench.world.network.setRoute(.refused, to: bench.world.address)
        bench.cutOff()
        bench.world.run(for: .seconds(2))
        #expect(throws: HubClientError.timedOut) {
            try bench.wait { try await ann.request(HubMessage(text: "?")) }
        }
        let errors = Errors()
        for _ in 0..<4 { ask(ann, bench, errors) }
        bench.world.run(for: .seconds(2))
        #expect(errors.all == [.tooManyCalls, .tooManyCalls])
        bench.world.run(for: .seconds(2))
        #expect(errors.all.suffix(2) == [.timedOut, .timedOut])
        ask(ann, bench, errors)
        bench.world.run(for: .milliseconds(10))
        ann.stop()
        bench.world.run(for: .milliseconds(10))
        #expect(errors.all.last == .stopped)
    }

    /// What calls ended with.
    private final class Errors: Sendable {
        private let stored = Mutex<[HubClientError]>([])
        var all: [HubClientError] { stored.withLock { $0 } }

        func append(_ error: HubClientError) { stored.withLock { $0.append(error) } }
    }

    /// Begins a call of which only the failure is noted.
    private func ask(_ client: HubClient, _ bench: ClientBench, _ errors: Errors) {
        bench.start {
            do throws(HubClientError) {
                _ = try await client.members(of: "a")
            } catch {
                errors.append(error)
            }
        }
    }

    @Test func `calls end with their loop`() async throws {
        let bench = try await ClientBench()
        let (ann, _) = bench.client("ann")
        bench.world.run(for: .seconds(1))
        let network = bench.world.network
        network.setRoute(.refused, to: bench.world.address)
        bench.cutOff()
        bench.world.run(for: .milliseconds(10))
        let errors = Errors()
        ask(ann, bench, errors)
        bench.world.run(for: .milliseconds(10))
        #expect(errors.all == [])
        bench.world.group.loops[1].shutDown()
        bench.world.run(for: .milliseconds(10))
        #expect(errors.all == [.stopped])
    }

    @Test(arguments: 0..<30 as Range<UInt64>)
    func `whatever the network does, everything arrives in order and once`(
        seed: UInt64
    ) async throws {
        var faults = Faults()
        faults.shortReads = 0.2
        faults.shortWrites = 0.2
        faults.resets = 0.01
        faults.delayMax = .milliseconds(40)
        let bench = try await ClientBench(seed: seed, faults: faults)
        let (ann, annHears) = bench.client("ann") { $0.callTimeout = .seconds(300) }
        let (bob, bobHears) = bench.client("bob") { $0.callTimeout = .seconds(300) }
        let done = Mutex(0)
        for (client, name) in [(ann, "ann"), (bob, "bob")] {
            bench.start {
                try await client.subscribe(to: "a")
                for number in 1...20 {
                    try await client.publish(HubMessage(text: "\(name) \(number)"), to: "a")
                }
                done.withLock { $0 += 1 }
            }
        }
        let isDone = bench.world.network.run(within: .seconds(600)) { done.withLock { $0 == 2 } }
        #expect(isDone, "seed \(seed)")
        bench.world.network.faults = Faults()
        bench.world.run(for: .seconds(60))
        let all = bench.world.hub.topic("a")?.history(after: nil, limit: .init())
        let stored = all?.messages.map(\.message.payload.text) ?? []
        #expect(stored.count == 40, "seed \(seed): each is published once")
        for (name, log) in [("ann", annHears), ("bob", bobHears)] {
            // From where its subscription began.
            #expect(log.texts == stored.suffix(log.texts.count), "seed \(seed): \(name)")
            #expect(
                log.subscriptions.dropFirst().allSatisfy { $0.isRecovered }, "seed \(seed): \(name)"
            )
            #expect(log.texts.count { $0.hasPrefix(name) } == 20, "seed \(seed): \(name)")
        }
    }
}
