import Hub
import HubTesting
import NetPollTesting
import Synchronization
import Testing
import WSFrame
import WSTransport

@Suite("Slow subscribers, on the simulated network")
struct SlowSubscriberTests {
    /// A topic with one subscriber that does not read and one that does, after so many messages of
    /// a kilobyte.
    private struct Scene {
        let bench: HubBench
        let slow: SimulatedClient
        let quick: SimulatedClient
        let topic: Topic

        init(
            messages: Int, _ policy: SlowSubscriberPolicy, history: Int = 1_000, waiting: Int = 10,
            key: @escaping (Int) -> String? = { _ in nil },
            durability: (Int) -> Publication.Durability = { _ in .stored }
        ) async throws {
            bench = try await HubBench {
                $0.topic.slowSubscribers = policy
                $0.topic.historyMessagesMax = history
                $0.topic.historyBytesMax = 10 << 20
                $0.topic.waitingMessagesMax = waiting
            }
            slow = try bench.join(windowBytes: 4 << 10)
            quick = try bench.join()
            for client in [slow, quick] { client.say("join a") }
            bench.network.runUntilIdle()
            topic = try #require(bench.hub.existingTopic("a"))
            for client in [slow, quick] { _ = client.takeTexts() }
            slow.peer.stall()
            for number in 0..<messages {
                publish(number, durability(number), key: key(number))
                bench.network.run(for: .milliseconds(1))
            }
        }

        func publish(_ number: Int, _ durability: Publication.Durability, key: String?) {
            let text = "\(number) " + String(repeating: "x", count: 1_000)
            topic.publish(
                Publication(PreparedMessage(text: text), durability: durability, key: key))
        }

        func numbers(_ client: SimulatedClient) -> [Int] {
            client.takeTexts().compactMap { $0.split(separator: " ").first.flatMap { Int($0) } }
        }

        func resume() {
            slow.peer.resume()
            bench.network.run(for: .seconds(1))
        }
    }

    @Test(arguments: [
        SlowSubscriberPolicy.catchUp, .skipToLatest, .skipToOldest, .conflate,
        .close(.tryAgainLater),
    ])
    func `within what may wait nothing is lost, whatever the policy`(
        policy: SlowSubscriberPolicy
    ) async throws {
        let scene = try await Scene(messages: 50, policy, waiting: 100)
        #expect(scene.numbers(scene.quick) == Array(0..<50))
        scene.resume()
        #expect(scene.numbers(scene.slow) == Array(0..<50))
        #expect(scene.topic.metrics.delivered == 100)
        #expect(scene.topic.metrics.skipped == 0)
    }

    @Test func `one that falls behind catches up from the history and goes on live`()
        async throws
    {
        let scene = try await Scene(messages: 200, .catchUp)
        #expect(scene.numbers(scene.quick) == Array(0..<200))
        scene.slow.peer.resume()
        for number in 200..<300 {
            scene.publish(number, .stored, key: nil)
            scene.bench.network.run(for: .milliseconds(1))
        }
        scene.bench.network.run(for: .seconds(1))
        #expect(scene.numbers(scene.slow) == Array(0..<300))
        let metrics = scene.topic.metrics
        #expect(metrics.published == 300)
        #expect(metrics.delivered == 600)
        #expect(metrics.caughtUp > 100)
        #expect(metrics.skipped == 0)
    }

    @Test func `one whose place the history has lost is closed to ask again`() async throws {
        let scene = try await Scene(messages: 200, .catchUp, history: 20)
        scene.resume()
        #expect(scene.slow.closeCode == CloseCode.tryAgainLater.rawValue)
        let numbers = scene.numbers(scene.slow)
        #expect(numbers == Array(0..<numbers.count))
        #expect(scene.topic.metrics.gaps == 1)
        #expect(scene.numbers(scene.quick) == Array(0..<200))
    }

    @Test func `skipping to the oldest leaves what waits`() async throws {
        let scene = try await Scene(messages: 200, .skipToOldest)
        scene.resume()
        let numbers = scene.numbers(scene.slow)
        #expect(numbers.suffix(10) == Array(190..<200)[...])
        let metrics = scene.topic.metrics
        #expect(metrics.skipped == UInt64(200 - numbers.count))
        #expect(metrics.delivered == UInt64(200 + numbers.count))
    }

    @Test func `skipping to the latest leaves what comes next`() async throws {
        let scene = try await Scene(messages: 200, .skipToLatest)
        scene.resume()
        let before = scene.numbers(scene.slow).count
        scene.publish(200, .stored, key: nil)
        scene.bench.network.run(for: .seconds(1))
        #expect(scene.numbers(scene.slow) == [200])
        #expect(before < 30)
        let metrics = scene.topic.metrics
        #expect(metrics.skipped == UInt64(200 - before))
    }

    @Test func `conflation keeps the latest of each key`() async throws {
        let scene = try await Scene(messages: 200, .conflate, key: { "\($0 % 3)" })
        scene.resume()
        let numbers = scene.numbers(scene.slow)
        #expect(numbers.suffix(3) == [197, 198, 199])
        let metrics = scene.topic.metrics
        #expect(metrics.skipped == 0)
        #expect(metrics.conflated == UInt64(200 - numbers.count))
        #expect(scene.numbers(scene.quick) == Array(0..<200))
    }

    @Test func `closing closes with the policy's code`() async throws {
        let code = CloseCode(rawValue: 4_008)
        let scene = try await Scene(messages: 200, .close(code))
        scene.resume()
        #expect(scene.slow.closeCode == 4_008)
        #expect(scene.bench.application.reasons == [.local(code)])
        #expect(scene.numbers(scene.quick) == Array(0..<200))
    }

    @Test func `volatile messages are the first to go`() async throws {
        let scene = try await Scene(
            messages: 60, .catchUp, waiting: 100,
            durability: { $0.isMultiple(of: 2) ? .volatile : .stored })
        scene.resume()
        let numbers = scene.numbers(scene.slow)
        #expect(numbers.filter { !$0.isMultiple(of: 2) } == Array(stride(from: 1, to: 60, by: 2)))
        let metrics = scene.topic.metrics
        #expect(metrics.volatileDropped > 20)
        #expect(metrics.volatileDropped == UInt64(60 - numbers.count))
        #expect(scene.numbers(scene.quick) == Array(0..<60))
    }

    @Test(arguments: [
        SlowSubscriberPolicy.skipToOldest, .skipToLatest, .conflate, .catchUp,
        .close(.tryAgainLater),
    ])
    func `volatile messages push out nothing that is stored, whatever the policy`(
        policy: SlowSubscriberPolicy
    ) async throws {
        // What the connection took before it stalled, then one stored message among volatile ones.
        let scene = try await Scene(
            messages: 80, policy, waiting: 20, key: { "\($0 % 3)" },
            durability: { $0 == 30 ? .stored : .volatile })
        scene.resume()
        let numbers = scene.numbers(scene.slow)
        #expect(numbers.suffix(1) == [30])
        #expect(scene.slow.closeCode == nil)
        let metrics = scene.topic.metrics
        #expect(metrics.skipped == 0)
        #expect(metrics.gaps == 0)
        #expect(metrics.conflated == 0)
        #expect(metrics.volatileDropped == UInt64(80 - numbers.count))
        #expect(scene.numbers(scene.quick) == Array(0..<80))
        scene.publish(80, .stored, key: nil)
        scene.bench.network.run(for: .seconds(1))
        #expect(scene.numbers(scene.slow) == [80])
    }

    @Test func `a topic that has more than the connection takes starves no other`() async throws {
        var faults = Faults()
        faults.bytesPerSecond = 1_000_000
        let bench = try await HubBench(faults: faults) {
            $0.topic.slowSubscribers = .skipToOldest
            $0.topic.waitingMessagesMax = 1_000
            $0.topic.waitingBytesMax = 200 << 10
        }
        let client = try bench.join(windowBytes: 32 << 10)
        for name in ["busy", "quiet"] { client.say("join \(name)") }
        bench.network.run(for: .seconds(1))
        let busy = try #require(bench.hub.existingTopic("busy"))
        let quiet = try #require(bench.hub.existingTopic("quiet"))
        let filling = PreparedMessage(text: String(repeating: "x", count: 30_000))
        // Three times what the network takes.
        func publish(for seconds: Int) {
            for _ in 0..<(seconds * 100) {
                busy.publish(Publication(filling, durability: .transient))
                bench.network.run(for: .milliseconds(10))
            }
        }
        publish(for: 2)
        quiet.publish(Publication(PreparedMessage(text: "now"), durability: .transient))
        _ = client.takeTexts()
        publish(for: 2)
        #expect(client.takeTexts().contains("now"))
    }

    @Test func `a session's own messages go before its topics'`() async throws {
        let scene = try await Scene(messages: 50, .catchUp, waiting: 100)
        scene.slow.say("echo first")
        scene.bench.network.run(for: .milliseconds(10))
        scene.resume()
        let texts = scene.slow.takeTexts()
        let place = try #require(texts.firstIndex(of: "first"))
        #expect(place < 20)
        #expect(texts.count == 51)
    }

    @Test func `a session that does not read its own messages meets its bound`() async throws {
        let bench = try await HubBench { $0.unicast.messagesMax = 20 }
        let slow = try bench.join(windowBytes: 4 << 10)
        slow.peer.stall()
        let text = String(repeating: "x", count: 1_000)
        for _ in 0..<40 {
            slow.say("echo \(text)")
            bench.network.run(for: .milliseconds(1))
        }
        slow.peer.resume()
        bench.network.run(for: .seconds(1))
        #expect(slow.closeCode == CloseCode.tryAgainLater.rawValue)
        #expect(bench.application.reasons == [.local(.tryAgainLater)])
    }

    @Test func `a stopped subscriber costs bytes, not a buffer`() async throws {
        let scene = try await Scene(messages: 500, .catchUp)
        // What is held for it is the rest of one batch that the network did not take whole.
        let queued = Mutex(-1)
        scene.bench.hub.withSession(scene.bench.application.ids[0]) { session in
            queued.withLock { $0 = session.queuedBytes }
        }
        scene.bench.network.runUntilIdle()
        #expect(queued.withLock { (0..<2_000).contains($0) })
    }

    @Test(arguments: 0..<40 as Range<UInt64>)
    func `whoever stalls when, nobody misses a stored message or sees one twice`(
        seed: UInt64
    ) async throws {
        var random = SeededGenerator(seed: seed)
        let bench = try await HubBench(seed: seed, faults: .cuts, loops: 2) {
            $0.topic.historyMessagesMax = 10_000
            $0.topic.historyBytesMax = 10 << 20
            $0.topic.waitingMessagesMax = 8
        }
        let clients = try (0..<8).map { _ in try bench.join(windowBytes: 2 << 10) }
        for client in clients { client.say("join a") }
        bench.network.run(for: .seconds(1))
        for client in clients { _ = client.takeTexts() }
        let topic = try #require(bench.hub.existingTopic("a"))
        let text = String(repeating: "x", count: 300)
        var published = 0
        for _ in 0..<300 {
            let client = clients[Int.random(in: 0..<8, using: &random)]
            switch Int.random(in: 0..<10, using: &random) {
            case 0: client.peer.stall()
            case 1...2: client.peer.resume()
            case 3: bench.network.run(for: .milliseconds(5))
            default:
                topic.publish(Publication(text: "\(published) \(text)"))
                published += 1
            }
        }
        for client in clients { client.peer.resume() }
        bench.network.run(for: .seconds(2))
        for client in clients {
            let numbers = client.takeTexts().compactMap { Int($0.split(separator: " ")[0]) }
            #expect(numbers == Array(0..<published), "seed \(seed)")
        }
        #expect(topic.metrics.delivered == UInt64(8 * published), "seed \(seed)")
    }
}
