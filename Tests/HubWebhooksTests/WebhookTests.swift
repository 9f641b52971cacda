import ConnPool
import Hub
import HubTesting
import HubUpstream
import HubWebhooks
import HubWorlds
import NetPoll
import NetPollTesting
import Seeds
import Synchronization
import Testing
import WSFrame
import WSTransport

@Suite("A webhook, on the simulated network")
struct WebhookTests {
    @Test func `each event is posted as JSON, signed, with its id`() async throws {
        let bench = try await WebhookBench()
        let ann = try bench.join("ann")
        ann.say("msg greet hello")
        ann.send([], .close)
        bench.world.run(for: .seconds(1))
        let posts = bench.receiver.posts
        #expect(posts.map(\.event.number) == [1, 2, 3])
        #expect(posts.map { $0.header["Content-Type"] }.allSatisfy { $0 == "application/json" })
        #expect(posts.allSatisfy { $0.header["X-Longwire-Event"] == $0.event.id })
        #expect(posts.allSatisfy { $0.isSigned })
        #expect(posts[0].target == "/hook?a=1" && posts[0].header["Host"] == "10.0.0.2:9000")
        #expect(posts[1].event.kind == .message(HubMessage(Payload(text: "hello"), event: "greet")))
        #expect(bench.events.snapshot.delivered == 3)
    }

    @Test(arguments: [
        (200, 1, 0), (204, 1, 0), (299, 1, 0), (301, 1, 1), (400, 1, 1), (404, 1, 1), (410, 1, 1),
        (408, 3, 0), (429, 3, 0), (500, 3, 0), (503, 3, 0), (599, 3, 0),
    ])
    func `the status decides whether an event comes again`(
        status: Int, attempts: Int, refused: Int
    ) async throws {
        let bench = try await WebhookBench()
        bench.receiver.answer(with: Array(repeating: UInt16(status), count: min(2, attempts)))
        _ = try bench.join("ann")
        bench.world.run(for: .seconds(30))
        #expect(bench.receiver.posts.count == attempts)
        #expect(Set(bench.receiver.posts.map(\.event.id)).count == 1)
        #expect(bench.receiver.posts.allSatisfy { $0.isSigned })
        let counts = bench.events.snapshot
        #expect(counts.refused == UInt64(refused) && counts.waiting == 0)
        #expect(counts.delivered == UInt64(1 - refused))
    }

    @Test func `a receiver says when to come again`() async throws {
        let bench = try await WebhookBench()
        bench.receiver.answer(with: [503], retryAfter: 8)
        _ = try bench.join("ann")
        bench.world.run(for: .seconds(7))
        #expect(bench.receiver.posts.count == 1)
        bench.world.run(for: .seconds(2))
        #expect(bench.receiver.posts.count == 2)
    }

    @Test func `a receiver that does not answer is given up, and asked again`() async throws {
        let bench = try await WebhookBench()
        bench.receiver.answer(with: [0])
        _ = try bench.join("ann")
        bench.world.run(for: .seconds(9))
        #expect(bench.receiver.posts.count == 1)
        #expect(bench.events.snapshot.inFlight == 1)
        bench.world.run(for: .seconds(5))
        #expect(bench.receiver.posts.count == 2)
        #expect(bench.events.snapshot.delivered == 1)
    }

    @Test(arguments: seeds(12))
    func `over a poor network all comes at least once and each session's in order`(
        seed: UInt64
    ) async throws {
        var faults = Faults.cuts
        faults.delayMax = .milliseconds(5)
        let bench = try await WebhookBench(seed: seed, faults: faults)
        let clients = try (0..<3).map { try bench.join("user-\($0)") }
        bench.receiver.answer(with: [503, 200, 500, 200, 200, 429])
        for number in 0..<20 {
            for client in clients { client.say("msg e \(number)") }
            if number == 5 { bench.world.network.setRoute(.refused, to: WebhookBench.address) }
            if number == 15 { bench.world.network.setRoute(.open, to: WebhookBench.address) }
            bench.world.run(for: .milliseconds(200))
        }
        bench.world.run(for: .seconds(120))
        for user in 0..<3 {
            var known: Set<String> = []
            let numbers = bench.receiver.posts.map(\.event)
                .filter { $0.user == "user-\(user)" && known.insert($0.id).inserted }
                .map(\.number)
            #expect(numbers == Array(1...21), "seed \(seed)")
        }
        #expect(bench.receiver.posts.allSatisfy { $0.isSigned }, "seed \(seed)")
        #expect(bench.events.snapshot.delivered == 63, "seed \(seed)")
    }

    @Test(arguments: [
        "", "127.0.0.1:80", "ftp://a/", "https://a/", "http://", "http://a b/", "http://a/#x",
        "http://user:password@a/", "http://a:0/", "http://a/\r\nX: y",
    ])
    func `a URL that cannot be posted to is refused`(url: String) async throws {
        let network = SimulatedNetwork(seed: 0, faults: Faults())
        let loops = network.makeGroup().loops
        let secrets = try WebhookSecrets(lines: WebhookBench.secret)
        #expect(throws: WebhookError.self) {
            try Webhook(url: url, secrets: secrets, on: loops)
        }
    }
}
