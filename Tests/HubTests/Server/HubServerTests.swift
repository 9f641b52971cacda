import Hub
import HubTesting
import HubWorlds
import NetPoll
import NetPollTesting
import Synchronization
import Testing
import WSFrame
import WSTransport

@Suite("HubServer, on the simulated network")
struct HubServerTests {
    @Test func `draining closes every session with 1001 and lets nobody in`() async throws {
        let bench = try await HubBench(loops: 3)
        let clients = try (0..<30).map { _ in try bench.join() }
        for client in clients { client.say("join a") }
        bench.network.runUntilIdle()
        let isDone = Mutex(false)
        let done: @Sendable () -> Void = { isDone.withLock { $0 = true } }
        bench.hub.beginDrain(deadline: .seconds(10), whenDone: done)
        bench.network.run(for: .milliseconds(100))
        #expect(clients.allSatisfy { $0.closeCode == 1_001 })
        #expect(isDone.withLock { $0 })
        #expect(bench.hub.sessionCount == 0)
        #expect(bench.application.reasons == Array(repeating: .local(.goingAway), count: 30))
    }

    @Test func `draining spreads the coming again, and sends what waits before the close`()
        async throws
    {
        let bench = try await LineBench()
        let clients = try (0..<20).map { try bench.join("u\($0)", windowBytes: 4 << 10) }
        for client in clients { client.say("sub 1 a") }
        bench.network.run(for: .seconds(1))
        let topic = try #require(bench.hub.existingTopic("a"))
        let slow = clients[4]
        slow.peer.stall()
        let text = String(repeating: "x", count: 1_000)
        for number in 0..<30 {
            topic.publish(Publication(HubMessage(text: "\(number)\(text)")))
            bench.network.run(for: .milliseconds(1))
        }
        bench.hub.beginDrain(deadline: .seconds(10), reconnectingWithin: .seconds(60)) {}
        bench.network.run(for: .seconds(1))
        slow.peer.resume()
        bench.network.run(for: .seconds(1))
        let delays = clients.compactMap { client in
            client.texts.first { $0.hasPrefix("reconnect ") }.flatMap { Int($0.dropFirst(10)) }
        }
        #expect(delays.count == 20)
        #expect(Set(delays).count == 20)
        #expect(delays.allSatisfy { (0..<60_000).contains($0) })
        #expect((delays.max() ?? 0) - (delays.min() ?? 0) > 40_000)
        for client in clients {
            #expect(client.closeCode == 1_001)
            #expect(client.texts.count { $0.hasPrefix("pub a") } == 30)
        }
    }

    @Test func `a turn of draining tells no more sessions to come again than it may close`()
        async throws
    {
        let bench = try await LineBench(loops: 1, closesPerTurnMax: 4)
        let clients = try (0..<21).map { try bench.join("u\($0)") }
        func told() -> Int {
            clients.count { client in client.texts.contains { $0.hasPrefix("reconnect ") } }
        }
        var counts = [told()]
        bench.network.runTurn = { [unowned bench] loop in
            loop.turn(until: bench.network.now)
            counts.append(told())
        }
        bench.hub.beginDrain(deadline: .seconds(10), reconnectingWithin: .seconds(60)) {}
        bench.network.run(for: .seconds(1))
        #expect(counts.last == 21)
        #expect(zip(counts, counts.dropFirst()).map { $1 - $0 }.max() == 4)
        #expect(clients.allSatisfy { $0.closeCode == 1_001 })
        let delays = Set(clients.compactMap { $0.texts.first { $0.hasPrefix("reconnect ") } })
        #expect(delays.count == 21)
    }

    @Test func `who reads late is waited for, however many turns the others take`() async throws {
        let bench = try await LineBench(loops: 1, closesPerTurnMax: 4)
        let clients = try (0..<21).map { try bench.join("u\($0)", windowBytes: 4 << 10) }
        for client in clients { client.say("sub 1 a") }
        bench.network.run(for: .seconds(1))
        let topic = try #require(bench.hub.existingTopic("a"))
        let slow = [clients[2], clients[17]]
        for client in slow { client.peer.stall() }
        let text = String(repeating: "x", count: 1_000)
        for number in 0..<30 { topic.publish(Publication(HubMessage(text: "\(number)\(text)"))) }
        bench.network.run(for: .milliseconds(100))
        bench.hub.beginDrain(deadline: .seconds(10)) {}
        for client in slow {
            bench.network.run(for: .seconds(1))
            #expect(clients[0].closeCode == nil)
            client.peer.resume()
        }
        bench.network.run(for: .seconds(1))
        for client in clients {
            #expect(client.closeCode == 1_001)
            #expect(client.texts.count { $0.hasPrefix("pub a") } == 30)
        }
    }

    @Test func `draining ends although a loop is shut down while a client is waited for`()
        async throws
    {
        let bench = try await LineBench(loops: 1)
        let client = try bench.join("ann", windowBytes: 4 << 10)
        client.say("sub 1 a")
        bench.network.run(for: .seconds(1))
        let topic = try #require(bench.hub.existingTopic("a"))
        client.peer.stall()
        let text = String(repeating: "x", count: 10_000)
        for _ in 0..<3 { topic.publish(Publication(HubMessage(text: text))) }
        bench.network.run(for: .milliseconds(100))
        let isDone = Mutex(false)
        bench.hub.beginDrain(deadline: .seconds(600)) { isDone.withLock { $0 = true } }
        bench.network.run(for: .seconds(1))
        #expect(!isDone.withLock { $0 })
        let loop = bench.hub.firstLoop
        loop.execute { loop.shutDown() }
        bench.network.run(for: .seconds(1))
        #expect(isDone.withLock { $0 })
    }

    @Test func `connections that are no sessions are counted, and bounded`() async throws {
        let bench = try await HubBench { $0.handshakesMax = 2 }
        let waiting = try (0..<3).map { _ in
            try #require(bench.network.connect(to: bench.address))
        }
        bench.network.runUntilIdle()
        #expect(waiting.count { !$0.received.isEmpty } == 1)
        #expect(bench.hub.totals.handshakes == 2 && bench.hub.totals.handshakesPeak == 2)
        for peer in waiting { peer.reset() }
        bench.network.runUntilIdle()
        _ = try bench.join()
        #expect(bench.hub.totals.handshakes == 0 && bench.hub.totals.handshakesPeak == 2)
    }

    @Test func `draining ends at its deadline although a client does not answer`() async throws {
        let bench = try await HubBench { $0.closeTimeout = .seconds(60) }
        let client = try bench.join()
        client.answersClose = false
        let isDone = Mutex(false)
        let done: @Sendable () -> Void = { isDone.withLock { $0 = true } }
        bench.hub.beginDrain(deadline: .seconds(10), whenDone: done)
        bench.network.run(for: .milliseconds(9_900))
        #expect(!isDone.withLock { $0 })
        bench.network.run(for: .milliseconds(200))
        #expect(isDone.withLock { $0 })
        #expect(client.closeCode == 1_001)
    }

    @Test func `a silent client is found and its user gone`() async throws {
        let bench = try await HubBench {
            $0.heartbeat = Heartbeat(interval: .seconds(10), timeout: .seconds(25))
        }
        let alive = try bench.join(user: "alive")
        let silent = try bench.join(user: "silent")
        for client in [alive, silent] { client.say("join a") }
        bench.network.run(for: .seconds(1))
        silent.answersPings = false
        _ = alive.takeTexts()
        bench.network.run(for: .seconds(60))
        #expect(bench.application.reasons == [.heartbeatTimedOut])
        #expect(alive.takeTexts() == ["who a 1 + -silent"])
    }

    @Test func `a client that begins a message and brings no more of it is closed`() async throws {
        for timeout in [Duration.seconds(60), .seconds(10)] {
            let bench = try await HubBench {
                if timeout != $0.inputStallTimeout { $0.inputStallTimeout = timeout }
                // A client that says nothing at all is found by its silence first.
                $0.heartbeat = nil
            }
            let client = try bench.join()
            client.peer.send([0x01, 0x81, 0, 0, 0, 0, 0x61])
            bench.network.run(for: timeout - .milliseconds(50))
            #expect(bench.application.reasons.isEmpty && client.closeCode == nil)
            bench.network.run(for: .seconds(1))
            #expect(client.closeCode == 1_001)
            bench.network.run(for: .seconds(6))
            #expect(bench.application.reasons == [.inputStalled])
        }
    }

    @Test func `presence counts users, and tells a burst of changes once`() async throws {
        let bench = try await HubBench(loops: 2)
        let watcher = try bench.join()
        watcher.say("join a")
        bench.network.runUntilIdle()
        let ada = try bench.join(user: "ada")
        let adaAgain = try bench.join(user: "ada")
        let bob = try bench.join(user: "bob")
        for client in [ada, adaAgain, bob] { client.say("join a") }
        bench.network.run(for: .seconds(1))
        #expect(watcher.takeTexts().suffix(1) == ["who a 2 +ada,bob -"])
        #expect(bob.takeTexts().first?.contains("[ada,bob]") == true)
        ada.peer.reset()
        bob.peer.reset()
        bench.network.run(for: .seconds(1))
        #expect(watcher.takeTexts() == ["who a 1 + -bob"])
        adaAgain.say("leave a")
        bench.network.run(for: .seconds(1))
        #expect(watcher.takeTexts() == ["who a 0 + -ada"])
    }

    @Test func `more changes than a notice names follow in the next ones`() async throws {
        let bench = try await HubBench { $0.presenceChangesMax = 2 }
        let watcher = try bench.join()
        watcher.say("join a")
        for user in ["ada", "bob", "eve"] { try bench.join(user: user).say("join a") }
        bench.network.run(for: .seconds(2))
        #expect(watcher.takeTexts().suffix(2) == ["who a 3 +ada,bob -", "who a 3 +eve -"])
    }

    @Test func `a topic that nobody holds is forgotten in time, one in use is not`() async throws {
        let bench = try await HubBench { $0.topicIdleTimeout = .seconds(60) }
        let client = try bench.join()
        client.say("join kept")
        client.say("join left")
        client.say("say left x")
        client.say("leave left")
        bench.network.run(for: .seconds(50))
        let epoch = try #require(bench.hub.existingTopic("left")?.epoch)
        bench.network.run(for: .seconds(50))
        #expect(bench.hub.existingTopic("left") == nil)
        bench.network.run(for: .seconds(1_000))
        #expect(bench.hub.existingTopic("kept") != nil)
        client.say("join left \(epoch) 1")
        _ = client.takeTexts()
        bench.network.runUntilIdle()
        #expect(client.takeTexts().first?.contains(" 0 false ") == true)
    }

    @Test func `subscriptions are limited per session and per topic`() async throws {
        let bench = try await HubBench {
            $0.subscriptionsPerSessionMax = 2
            $0.topic.subscribersMax = 2
        }
        let clients = try (0..<3).map { _ in try bench.join() }
        for client in clients { client.say("join a") }
        bench.network.runUntilIdle()
        #expect(clients[2].takeTexts() == ["error topicFull"])
        for topic in ["b", "c"] { clients[0].say("join \(topic)") }
        bench.network.runUntilIdle()
        #expect(clients[0].takeTexts().last == "error tooManySubscriptions")
        clients[0].say("leave a")
        bench.network.runUntilIdle()
        clients[2].say("join a")
        bench.network.runUntilIdle()
        #expect(clients[2].takeTexts().first?.hasPrefix("state a") == true)
    }

    @Test func `a session is reached by its id, and by nobody after its end`() async throws {
        let bench = try await HubBench(loops: 2)
        let first = try bench.join()
        let second = try bench.join()
        let ids = bench.application.ids
        bench.hub.send(PreparedMessage(text: "to the second"), to: ids[1])
        bench.network.runUntilIdle()
        #expect(first.takeTexts() == [])
        #expect(second.takeTexts() == ["to the second"])
        second.peer.reset()
        bench.network.runUntilIdle()
        bench.hub.send(PreparedMessage(text: "too late"), to: ids[1])
        let third = try bench.join()
        #expect(third.takeTexts() == [])
        #expect(bench.hub.sessionCount == 2)
    }

    @Test func `a message over the limit closes with 1009, a broken frame with 1002`() async throws
    {
        let bench = try await HubBench { $0.messageBytesMax = 1_000 }
        let big = try bench.join()
        big.say("echo " + String(repeating: "x", count: 2_000))
        let broken = try bench.join()
        broken.peer.send([0x83, 0x80, 0, 0, 0, 0])
        let fine = try bench.join()
        fine.say("echo hello")
        bench.network.run(for: .seconds(1))
        #expect(big.closeCode == 1_009)
        #expect(broken.closeCode == 1_002)
        #expect(fine.takeTexts() == ["hello"])
    }

    @Test(arguments: 0..<10 as Range<UInt64>)
    func `nothing is left after everybody has gone, however they went`(seed: UInt64) async throws {
        var random = SeededGenerator(seed: seed)
        let bench = try await HubBench(seed: seed, faults: .cuts, loops: 3)
        var clients: [SimulatedClient] = []
        for number in 0..<100 {
            let client = try bench.join(user: "u\(number % 20)")
            client.say("join a")
            client.say("join b")
            if number % 3 == 0 { client.say("say a hello") }
            clients.append(client)
        }
        bench.network.run(for: .milliseconds(100))
        for client in clients {
            switch Int.random(in: 0..<4, using: &random) {
            case 0: client.peer.reset()
            case 1: client.peer.close()
            case 2: client.say("close 1000")
            default: client.send([3, 232], .close)
            }
            if Bool.random(using: &random) { bench.network.run(for: .milliseconds(3)) }
        }
        bench.network.run(for: .seconds(120))
        #expect(bench.hub.sessionCount == 0, "seed \(seed)")
        #expect(bench.hub.topics.isEmpty, "seed \(seed)")
        #expect(bench.application.reasons.count == 100, "seed \(seed)")
        #expect(bench.network.openDescriptors == 3, "seed \(seed)")
    }
}
