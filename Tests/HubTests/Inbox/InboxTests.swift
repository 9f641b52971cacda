import HubTesting
import HubWorlds
import NetPollTesting
import Testing
import WSFrame
import WSTransport

@testable import Hub

@Suite("Inboxes, on the simulated network")
struct InboxTests {
    private func bench(_ configure: (inout InboxPolicy) -> Void = { _ in }) async throws
        -> LineBench
    {
        var policy = InboxPolicy()
        configure(&policy)
        return try await LineBench { $0.inbox = policy }
    }

    private func deposit(
        _ text: String, for user: String, key: String? = nil, in bench: LineBench
    ) async throws -> InboxDeposited {
        let hub = bench.hub
        return try await bench.wait {
            try await hub.deposit(
                HubMessage(text: text), for: user, idempotencyKey: key)
        }
    }

    /// Deposits messages for Ann.
    ///
    /// - Returns: Their ids.
    private func stored(_ texts: [String], in bench: LineBench) async throws -> [InboxID] {
        var ids: [InboxID] = []
        for text in texts {
            guard case .stored(let id) = try await deposit(text, for: "ann", in: bench) else {
                Issue.record("\(text) was not stored")
                continue
            }
            ids.append(id)
        }
        return ids
    }

    @Test func `inboxes that may have changed are read some at a time, however often that is said`()
        async throws
    {
        let store = SlowStore()
        let bench = try await LineBench(loops: 1) {
            $0.store = store
            $0.inbox = InboxPolicy()
        }
        for number in 0..<300 { _ = try bench.join("u\(number)") }
        bench.network.run(for: .seconds(1))
        let before = store.inboxReads
        #expect(before == 300)
        store.hold()
        for _ in 0..<5 {
            bench.hub.inboxesMayHaveChanged()
            bench.network.run(for: .milliseconds(20))
        }
        #expect(store.inboxReads - before == 256)
        // A store that does not answer does not hold up the others for ever.
        bench.network.run(for: .seconds(2))
        #expect(store.inboxReads - before == 300)
        store.release()
        bench.network.run(for: .seconds(2))
        #expect(store.inboxReads - before == 600)
    }

    @Test func `a message waits for its user and comes until it is acknowledged`() async throws {
        let bench = try await bench()
        let id = try await stored(["one"], in: bench)[0]
        let ann = try bench.join("ann")
        bench.network.run(for: .seconds(1))
        #expect(ann.takeTexts() == ["inbox \(id) one"])
        bench.network.run(for: .seconds(4.5))
        #expect(ann.takeTexts() == ["inbox \(id) one"])
        bench.network.run(for: .seconds(9))
        #expect(ann.takeTexts() == [])
        bench.network.run(for: .seconds(2))
        #expect(ann.takeTexts() == ["inbox \(id) one"])
        #expect(bench.ask(ann, "ack \(id)") == [])
        bench.network.run(for: .seconds(1_000))
        #expect(ann.takeTexts() == [])
        let again = try bench.join("ann")
        bench.network.run(for: .seconds(1))
        #expect(again.takeTexts() == [])
    }

    @Test func `who is there gets it at once, on every device, and one acknowledges for all`()
        async throws
    {
        let bench = try await bench()
        let phone = try bench.join("ann/phone")
        let desk = try bench.join("ann/desk")
        let bob = try bench.join("bob")
        let ids = try await stored(["one", "two"], in: bench)
        bench.network.run(for: .milliseconds(100))
        for client in [phone, desk] {
            #expect(client.takeTexts() == ["inbox \(ids[0]) one", "inbox \(ids[1]) two"])
        }
        #expect(bob.takeTexts() == [])
        _ = bench.ask(phone, "ack \(ids[0]) \(ids[1])")
        bench.network.run(for: .seconds(1_000))
        #expect(desk.takeTexts() == [])
        #expect(phone.takeTexts() == [])
    }

    @Test func `a session gets no more than it may have open`() async throws {
        let bench = try await bench { $0.unacknowledgedMax = 3 }
        let ids = try await stored((1...8).map { "\($0)" }, in: bench)
        let lines = ids.enumerated().map { "inbox \($1) \($0 + 1)" }
        let ann = try bench.join("ann")
        bench.network.run(for: .seconds(1))
        #expect(ann.takeTexts() == Array(lines[..<3]))
        #expect(bench.ask(ann, "ack \(ids[1])") == [lines[3]])
        #expect(bench.ask(ann, "ack \(ids[0]) \(ids[2]) \(ids[3]) 99") == Array(lines[4..<7]))
        #expect(bench.ask(ann, "ack \(ids[4]) \(ids[5]) \(ids[6])") == [lines[7]])
    }

    @Test func `what is never acknowledged is quarantined and holds nothing up`() async throws {
        let bench = try await bench { $0.attemptsMax = 3 }
        let ann = try bench.join("ann")
        let poison = try await stored(["poison"], in: bench)[0]
        bench.network.run(for: .seconds(100))
        #expect(ann.takeTexts() == Array(repeating: "inbox \(poison) poison", count: 3))
        let hub = bench.hub
        let aside = try await bench.wait { try await hub.quarantined(of: "ann") }
        #expect(aside.messages.map(\.attempts) == [3])
        let fine = try await stored(["fine"], in: bench)[0]
        bench.network.run(for: .seconds(1))
        #expect(ann.takeTexts() == ["inbox \(fine) fine"])
    }

    @Test func `a deposit that is tried again is delivered once`() async throws {
        let bench = try await bench()
        let ann = try bench.join("ann")
        let answers = [
            try await deposit("one", for: "ann", key: "k", in: bench),
            try await deposit("one", for: "ann", key: "k", in: bench),
        ]
        guard case .stored(let id) = answers[0] else {
            Issue.record("\(answers[0])")
            return
        }
        #expect(answers[1] == .duplicate(id))
        bench.network.run(for: .seconds(1))
        #expect(ann.takeTexts() == ["inbox \(id) one"])
    }

    @Test func `who becomes another user while an inbox is read is not given it`() async throws {
        let store = SlowStore(durability: .process)
        let bench = try await LineBench {
            $0.inbox = InboxPolicy()
            $0.store = store
        }
        bench.hub.on("become") { message, session in
            try session.identify(as: message.payload.text)
        }
        let hub = bench.hub
        for user in ["ann", "bob"] {
            _ = try await bench.wait {
                try await hub.deposit(HubMessage(text: "for \(user)"), for: user)
            }
        }
        store.hold()
        let client = try bench.join("ann")
        client.say("msg become bob")
        bench.network.run(for: .seconds(1))
        store.release()
        bench.network.run(for: .seconds(1))
        let told = client.takeTexts().map { $0.split(separator: " ").dropFirst(2) }
        #expect(told == [["for", "bob"]])
    }

    @Test func `who is identified again while an inbox is read is given all of it`() async throws {
        let store = SlowStore(durability: .process)
        let bench = try await LineBench {
            $0.inbox = InboxPolicy()
            $0.store = store
        }
        bench.hub.on("become") { message, session in
            try session.identify(as: message.payload.text, device: "other")
        }
        let hub = bench.hub
        func deposit(_ text: String) async throws {
            _ = try await bench.wait { try await hub.deposit(HubMessage(text: text), for: "ann") }
        }
        try await deposit("one")
        let client = try bench.join("ann")
        bench.network.run(for: .seconds(1))
        #expect(client.takeTexts().map { $0.split(separator: " ").last } == ["one"])
        store.hold()
        try await deposit("two")
        client.say("msg become ann")
        bench.network.run(for: .seconds(1))
        store.release()
        bench.network.run(for: .seconds(1))
        #expect(client.takeTexts().map { $0.split(separator: " ").last } == ["one", "two"])
    }

    @Test func `an acknowledgement that could not be noted is asked for again`() async throws {
        let store = SlowStore(durability: .process)
        let bench = try await LineBench {
            $0.inbox = InboxPolicy()
            $0.store = store
        }
        let ann = try bench.join("ann")
        let id = try await stored(["one"], in: bench)[0]
        bench.network.run(for: .seconds(1))
        #expect(ann.takeTexts() == ["inbox \(id) one"])
        store.fails = true
        #expect(bench.ask(ann, "ack \(id)") == [])
        store.fails = false
        bench.network.run(for: .seconds(600))
        #expect(ann.takeTexts().first == "inbox \(id) one")
        #expect(bench.ask(ann, "ack \(id)") == [])
        let hub = bench.hub
        let left = try await bench.wait { try await hub.unacknowledged(of: "ann") }
        #expect(left.messages.isEmpty)
    }

    @Test func `what became due while newer messages were read comes again`() async throws {
        let store = SlowStore(durability: .process)
        let bench = try await LineBench {
            $0.inbox = InboxPolicy()
            $0.store = store
        }
        let ann = try bench.join("ann")
        let one = try await stored(["one"], in: bench)[0]
        bench.network.run(for: .milliseconds(4_900))
        store.hold()
        let two = try await stored(["two"], in: bench)[0]
        bench.network.run(for: .milliseconds(500))
        #expect(ann.takeTexts() == ["inbox \(one) one"])
        store.release()
        bench.network.run(for: .seconds(1))
        #expect(ann.takeTexts() == ["inbox \(two) two", "inbox \(one) one"])
        #expect(bench.ask(ann, "ack \(one) \(two)") == [])
        let hub = bench.hub
        let left = try await bench.wait { try await hub.unacknowledged(of: "ann") }
        #expect(left.messages.isEmpty)
    }

    @Test func `what is acknowledged after it was quarantined is gone`() async throws {
        let bench = try await bench { $0.attemptsMax = 1 }
        let ann = try bench.join("ann")
        let id = try await stored(["late"], in: bench)[0]
        bench.network.run(for: .seconds(100))
        let hub = bench.hub
        let aside = try await bench.wait { try await hub.quarantined(of: "ann") }
        #expect(aside.messages.count == 1)
        #expect(bench.ask(ann, "ack \(id)") == ["inbox \(id) late"])
        let left = try await bench.wait { try await hub.quarantined(of: "ann") }
        #expect(left.messages.isEmpty)
    }

    @Test func `who does not read is given no copies, and none of them is counted`() async throws {
        let bench = try await LineBench {
            $0.inbox = InboxPolicy()
            $0.inbox?.attemptsMax = 3
            $0.heartbeat = nil
        }
        let ann = try bench.join("ann", windowBytes: 1 << 10)
        ann.peer.stall()
        let text = String(repeating: "x", count: 3_000)
        let ids = try await stored(Array(repeating: text, count: 3), in: bench)
        // Not so long that the connection is given up.
        bench.network.run(for: .seconds(50))
        let hub = bench.hub
        let waiting = try await bench.wait { try await hub.unacknowledged(of: "ann") }
        #expect(waiting.messages.count == 3 && waiting.messages.allSatisfy { $0.attempts < 2 })
        ann.peer.resume()
        bench.network.run(for: .milliseconds(100))
        #expect(ann.takeTexts() == ids.map { "inbox \($0) \(text)" })
        // What it still does not acknowledge comes again now.
        bench.network.run(for: .seconds(10))
        #expect(ann.takeTexts() == ids.map { "inbox \($0) \(text)" })
    }

    @Test func `without a policy there are no inboxes`() async throws {
        let bench = try await LineBench()
        let hub = bench.hub
        await #expect(throws: StoreError.self) {
            try await bench.wait { try await hub.deposit(HubMessage(text: "x"), for: "ann") }
        }
    }

    @Test(arguments: 0..<40 as Range<UInt64>)
    func `whatever is lost on the way, every message arrives, and none after it was acknowledged`(
        seed: UInt64
    ) async throws {
        var random = SeededGenerator(seed: seed)
        var policy = InboxPolicy()
        policy.unacknowledgedMax = 4
        let bench = try await LineBench(seed: seed, faults: .cuts) { $0.inbox = policy }
        var client: SimulatedClient?
        var deposited = 0
        var seen: [Int: Int] = [:]
        var acknowledged: Set<Int> = []

        func read(acknowledging: Bool) {
            for line in client?.takeTexts() ?? [] {
                let words = line.split(separator: " ")
                guard words[0] == "inbox", let id = Int(words[1]) else { continue }
                seen[id, default: 0] += 1
                if acknowledging {
                    client?.say("ack \(id)")
                    acknowledged.insert(id)
                }
            }
        }
        for _ in 0..<60 {
            switch Int.random(in: 0..<8, using: &random) {
            case 0:
                client?.peer.reset()
                client = nil
            case 1...2 where client == nil: client = try bench.join("ann")
            case 3...4:
                deposited += 1
                _ = try await deposit("m\(deposited)", for: "ann", in: bench)
            case 5: read(acknowledging: false)
            default: read(acknowledging: true)
            }
            bench.network.run(for: .seconds(Int.random(in: 0...4, using: &random)))
        }
        if client == nil { client = try bench.join("ann") }
        for _ in 0..<200 {
            read(acknowledging: true)
            bench.network.run(for: .seconds(5))
        }
        #expect(seen.count == deposited, "seed \(seed)")
        let hub = bench.hub
        let left = try await bench.wait { try await hub.unacknowledged(of: "ann") }
        #expect(left.messages.count == 0, "seed \(seed)")
    }
}
