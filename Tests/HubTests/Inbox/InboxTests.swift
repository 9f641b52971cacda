import Hub
import HubTesting
import HubWorlds
import NetPollTesting
import Testing
import WSFrame
import WSTransport

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

    @Test func `a message waits for its user and comes until it is acknowledged`() async throws {
        let bench = try await bench()
        _ = try await deposit("one", for: "ann", in: bench)
        let ann = try bench.join("ann")
        bench.network.run(for: .seconds(1))
        #expect(ann.takeTexts() == ["inbox 1 one"])
        bench.network.run(for: .seconds(4.5))
        #expect(ann.takeTexts() == ["inbox 1 one"])
        bench.network.run(for: .seconds(9))
        #expect(ann.takeTexts() == [])
        bench.network.run(for: .seconds(2))
        #expect(ann.takeTexts() == ["inbox 1 one"])
        #expect(bench.ask(ann, "ack 1") == [])
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
        _ = try await deposit("one", for: "ann", in: bench)
        _ = try await deposit("two", for: "ann", in: bench)
        bench.network.run(for: .milliseconds(100))
        for client in [phone, desk] {
            #expect(client.takeTexts() == ["inbox 1 one", "inbox 2 two"])
        }
        #expect(bob.takeTexts() == [])
        _ = bench.ask(phone, "ack 1 2")
        bench.network.run(for: .seconds(1_000))
        #expect(desk.takeTexts() == [])
        #expect(phone.takeTexts() == [])
    }

    @Test func `a session gets no more than it may have open`() async throws {
        let bench = try await bench { $0.unacknowledgedMax = 3 }
        for number in 1...8 { _ = try await deposit("\(number)", for: "ann", in: bench) }
        let ann = try bench.join("ann")
        bench.network.run(for: .seconds(1))
        #expect(ann.takeTexts() == ["inbox 1 1", "inbox 2 2", "inbox 3 3"])
        #expect(bench.ask(ann, "ack 2") == ["inbox 4 4"])
        #expect(bench.ask(ann, "ack 1 3 4 99") == ["inbox 5 5", "inbox 6 6", "inbox 7 7"])
        #expect(bench.ask(ann, "ack 5 6 7") == ["inbox 8 8"])
    }

    @Test func `what is never acknowledged is quarantined and holds nothing up`() async throws {
        let bench = try await bench { $0.attemptsMax = 3 }
        let ann = try bench.join("ann")
        _ = try await deposit("poison", for: "ann", in: bench)
        bench.network.run(for: .seconds(100))
        #expect(ann.takeTexts() == ["inbox 1 poison", "inbox 1 poison", "inbox 1 poison"])
        let hub = bench.hub
        let aside = try await bench.wait { try await hub.quarantined(of: "ann") }
        #expect(aside.messages.map(\.attempts) == [3])
        _ = try await deposit("fine", for: "ann", in: bench)
        bench.network.run(for: .seconds(1))
        #expect(ann.takeTexts() == ["inbox 2 fine"])
    }

    @Test func `a deposit that is tried again is delivered once`() async throws {
        let bench = try await bench()
        let ann = try bench.join("ann")
        #expect(
            try await deposit("one", for: "ann", key: "k", in: bench)
                == .stored(InboxID(rawValue: 1)))
        #expect(
            try await deposit("one", for: "ann", key: "k", in: bench)
                == .duplicate(InboxID(rawValue: 1)))
        bench.network.run(for: .seconds(1))
        #expect(ann.takeTexts() == ["inbox 1 one"])
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
        #expect(seen.keys.sorted() == Array(1...max(deposited, 1)).filter { $0 <= deposited })
        let hub = bench.hub
        let left = try await bench.wait { try await hub.unacknowledged(of: "ann") }
        #expect(left.messages.count == 0, "seed \(seed)")
    }
}
