import Hub
import HubTesting
import NetPoll
import NetPollTesting
import Testing
import WSFrame
import WSTransport

@Suite("Delivery, on the simulated network")
struct DeliveryTests {
    /// What one client knows of a topic, checked with each message.
    private struct Watch {
        var epoch = ""
        var offset: UInt64 = 0

        mutating func note(_ line: String, _ texts: inout [String: String], seed: UInt64) {
            let words = line.split(separator: " ", omittingEmptySubsequences: true).map(String.init)
            switch words[0] {
            case "state":
                let messages = UInt64(words[6]) ?? 0
                let end = UInt64(words[3]) ?? 0
                if words[4] == "true" {
                    #expect(end - messages == offset, "seed \(seed): \(line)")
                }
                epoch = words[2]
                offset = end - messages
            case "m":
                let next = UInt64(words[2]) ?? 0
                #expect(next == offset + 1, "seed \(seed): gap or duplicate at \(line)")
                offset = next
                let key = "\(words[1]) \(epoch) \(next)"
                #expect(texts[key, default: words[3]] == words[3], "seed \(seed): \(line)")
                texts[key] = words[3]
            default: break
            }
        }
    }

    @Test(arguments: 0..<20 as Range<UInt64>)
    func `all see one order without gap or duplicate while they come, go and publish`(
        seed: UInt64
    ) async throws {
        var random = SeededGenerator(seed: seed)
        let bench = try await HubBench(seed: seed, faults: .cuts, loops: 3) {
            $0.topic.historyMessagesMax = 10
        }
        let clients = try (0..<12).map { _ in try bench.join() }
        var watches: [String: Watch] = [:]
        var joined: Set<String> = []
        var texts: [String: String] = [:]
        var published = 0

        func read() {
            for (index, client) in clients.enumerated() {
                for line in client.takeTexts() {
                    let key = "\(index) \(line.split(separator: " ")[1])"
                    watches[key, default: Watch()].note(line, &texts, seed: seed)
                }
            }
        }
        for _ in 0..<300 {
            let index = Int.random(in: 0..<clients.count, using: &random)
            let topic = Bool.random(using: &random) ? "a" : "b"
            let key = "\(index) \(topic)"
            switch Int.random(in: 0..<10, using: &random) {
            case 0...1 where !joined.contains(key):
                joined.insert(key)
                if let watch = watches[key], watch.epoch != "" {
                    clients[index].say("join \(topic) \(watch.epoch) \(watch.offset)")
                } else {
                    clients[index].say("join \(topic)")
                }
            case 2 where joined.contains(key):
                joined.remove(key)
                clients[index].say("leave \(topic)")
                // What was under way has to arrive before one may ask to catch up from it.
                bench.network.run(for: .milliseconds(200))
                read()
            case 3:
                bench.network.run(for: .milliseconds(Int64.random(in: 0...30, using: &random)))
                read()
            case 4: clients[index].say("hint \(topic) \(published)")
            default:
                published += 1
                clients[index].say("say \(topic) \(published)")
            }
        }
        bench.network.run(for: .seconds(1))
        read()
        for key in joined {
            let topic = try #require(bench.hub.existingTopic(String(key.split(separator: " ")[1])))
            #expect(watches[key]?.offset == topic.position.offset, "seed \(seed): \(key)")
        }
        #expect(bench.application.outcomes.count == published)
    }

    @Test func `a burst of publishes costs each subscriber one send`() async throws {
        let bench = try await HubBench(loops: 2)
        let clients = try (0..<10).map { _ in try bench.join() }
        for client in clients { client.say("join a") }
        bench.network.runUntilIdle()
        let before = bench.network.sends
        clients[0].say("burst a 16")
        bench.network.runUntilIdle()
        #expect(bench.network.sends - before == clients.count)
        for client in clients {
            let texts = client.takeTexts().filter { $0.hasPrefix("m ") }
            #expect(texts.count == 16)
        }
    }

    @Test func `a transient message reaches those who are there and enters no history`()
        async throws
    {
        let bench = try await HubBench()
        let early = try bench.join()
        early.say("join a")
        early.say("hint a now")
        early.say("say a kept")
        bench.network.runUntilIdle()
        #expect(early.takeTexts().contains("h a now"))
        let late = try bench.join()
        late.say("join a")
        bench.network.runUntilIdle()
        let texts = late.takeTexts()
        #expect(texts.count == 2)
        #expect(texts.last?.hasSuffix("kept") == true)
    }

    @Test func `after leaving nothing of the topic follows`() async throws {
        let bench = try await HubBench()
        let stays = try bench.join()
        let leaves = try bench.join()
        for client in [stays, leaves] { client.say("join a") }
        leaves.say("leave a")
        bench.network.runUntilIdle()
        _ = leaves.takeTexts()
        stays.say("say a x")
        bench.network.runUntilIdle()
        #expect(leaves.takeTexts() == [])
        #expect(bench.hub.existingTopic("a")?.subscriberCount == 1)
    }

    @Test func `a burst larger than the send queue reaches a client that reads`() async throws {
        let bench = try await HubBench(loops: 2) {
            $0.sendQueueBytesMax = 256 << 10
            $0.topic.historyMessagesMax = 5
        }
        let clients = try (0..<6).map { _ in try bench.join(windowBytes: 128 << 10) }
        for client in clients { client.say("join a") }
        bench.network.runUntilIdle()
        let text = String(repeating: "x", count: 10_000)
        for client in clients {
            for _ in 0..<20 { client.say("say a \(text)") }
        }
        // One who comes in the middle of it sees neither gap nor duplicate.
        let late = try bench.join()
        late.say("join a")
        bench.network.run(for: .seconds(1))
        for client in clients {
            #expect(client.takeTexts().count { $0.hasPrefix("m ") } == 120)
        }
        let seen = late.takeTexts().filter { $0.hasPrefix("m ") }.compactMap {
            $0.split(separator: " ")[2]
        }
        #expect(seen.last == "120")
        #expect(Set(seen).count == seen.count)
        #expect(bench.application.reasons == [])
    }

    @Test func `a loop that cannot keep up makes publishing say so`() async throws {
        let bench = try await HubBench { $0.topic.undeliveredMessagesMax = 10 }
        let client = try bench.join()
        client.say("join a")
        client.say("burst a 25")
        bench.network.runUntilIdle()
        let outcomes = bench.application.outcomes
        #expect(outcomes.count { $0 == .overloaded } == 15)
        #expect(client.takeTexts().count { $0.hasPrefix("m ") } == 10)
        client.say("burst a 1")
        bench.network.runUntilIdle()
        #expect(client.takeTexts().count { $0.hasPrefix("m ") } == 1)
    }

    @Test func `a client that does not read costs the others nothing`() async throws {
        let bench = try await HubBench(loops: 2) { $0.sendQueueBytesMax = 64 << 10 }
        let clients = try (0..<10).map { _ in try bench.join(user: "u") }
        for client in clients { client.say("join a") }
        bench.network.runUntilIdle()
        let slow = clients[3]
        slow.peer.stall()
        let text = String(repeating: "x", count: 1_000)
        for number in 0..<300 {
            clients[0].say("say a \(number)-\(text)")
            if number % 10 == 0 { bench.network.run(for: .milliseconds(1)) }
        }
        bench.network.run(for: .seconds(1))
        #expect(bench.application.reasons == [])
        for client in clients where client !== slow {
            #expect(client.takeTexts().count { $0.hasPrefix("m ") } == 300)
        }
        slow.peer.resume()
        bench.network.run(for: .seconds(1))
        #expect(slow.takeTexts().count { $0.hasPrefix("m ") } == 300)
    }
}
