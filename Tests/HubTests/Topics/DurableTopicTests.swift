import HubTesting
import HubWorlds
import NetPollTesting
import Synchronization
import Testing
import WSFrame
import WSTransport

@testable import Hub

@Suite("Topics of a durable store, on the simulated network")
struct DurableTopicTests {
    @Test func `a message is delivered once the store has it, and in the store's order`()
        async throws
    {
        let store = SlowStore()
        let bench = try await LineBench { $0.store = store }
        let ann = try bench.join("ann")
        let first = bench.ask(ann, "sub 1 a")
        #expect(first.first?.hasPrefix("sub a ") ?? false)
        bench.network.run(for: .seconds(1))
        _ = ann.takeTexts()
        store.hold()
        for number in 1...3 { ann.say("pub \(number) a stored - m\(number)") }
        #expect(
            Set(bench.ask(ann, "pub 4 a transient - now"))
                == ["pub a 0 ann now", "published 4 0"])
        store.release()
        bench.network.run(for: .seconds(1))
        let texts = ann.takeTexts()
        #expect(
            texts.filter { $0.hasPrefix("pub ") } == (1...3).map { "pub a \($0) ann m\($0)" })
        #expect(texts.filter { $0.hasPrefix("published") }.count == 3)
        #expect(store.batches < 4)
    }

    @Test func `clients go on across a restart of the hub`() async throws {
        let store = SlowStore()
        let before = try await LineBench { $0.store = store }
        let ann = try before.join("ann")
        let words = before.ask(ann, "sub 1 a")[0].split(separator: " ").map(String.init)
        for number in 1...5 { _ = before.ask(ann, "pub \(number) a stored - m\(number)") }
        let after = try await LineBench { $0.store = store }
        let again = try after.join("ann")
        #expect(
            after.ask(again, "sub 1 a \(words[2]) 3").prefix(3)
                == ["sub a \(words[2]) 3 true", "pub a 4 ann m4", "pub a 5 ann m5"])
        #expect(after.ask(again, "pub 9 a stored - m6").contains("pub a 6 ann m6"))
    }

    @Test func `a history is told across a restart before anybody has subscribed`() async throws {
        let store = SlowStore()
        let before = try await LineBench { $0.store = store }
        let ann = try before.join("ann")
        for number in 1...3 { _ = before.ask(ann, "pub \(number) a stored - m\(number)") }
        let after = try await LineBench { $0.store = store }
        let again = try after.join("ann")
        #expect(after.ask(again, "hist 5 a x x 2") == ["hist a false false m2,m3"])
    }

    @Test func `as many histories as may wait are told though nobody has subscribed`() async throws
    {
        let store = SlowStore()
        let before = try await LineBench { $0.store = store }
        let ann = try before.join("ann")
        for number in 1...40 { _ = before.ask(ann, "pub \(number) n\(number) stored - x") }
        let after = try await LineBench {
            $0.store = store
            $0.tasksPerSessionMax = 1
        }
        let again = try after.join("ann")
        for number in 1...40 { again.say("hist \(number) n\(number) x x 2") }
        after.network.run(for: .seconds(1))
        #expect(again.takeTexts() == (1...40).map { "hist n\($0) false false x" })
        // They wait for one another, and so many may.
        store.hold()
        for number in 1...150 { again.say("hist \(number) n1 x x 2") }
        after.network.run(for: .seconds(1))
        #expect(again.takeTexts().count == 150 - 101)
        store.release()
        after.network.run(for: .seconds(1))
        #expect(again.takeTexts().count == 101)
    }

    @Test func `to ask for a history makes no topic`() async throws {
        let bench = try await LineBench { $0.store = SlowStore() }
        let ann = try bench.join("ann")
        for number in 1...20 {
            #expect(bench.ask(ann, "hist \(number) n\(number) x x 2") == ["fail \(number) 4"])
        }
        #expect(bench.hub.topics.isEmpty)
    }

    @Test func `who leaves while a topic is read has left when it is read`() async throws {
        let store = SlowStore()
        store.hold()
        let bench = try await LineBench(loops: 1) { $0.store = store }
        let ann = try bench.join("ann")
        ann.say("sub 1 a")
        ann.say("unsub 2 a")
        bench.network.run(for: .seconds(1))
        store.release()
        bench.network.run(for: .seconds(1))
        #expect(ann.takeTexts().map { String($0.prefix(5)) } == ["sub a", "unsub"])
        ann.say("pub 3 a stored - hi")
        bench.network.run(for: .seconds(1))
        #expect(ann.takeTexts() == ["published 3 1"])
    }

    @Test func `who asks while a topic is read gets its answer then`() async throws {
        let store = SlowStore()
        store.hold()
        let bench = try await LineBench(loops: 1) { $0.store = store }
        let ann = try bench.join("ann")
        ann.say("sub 1 a")
        ann.say("pub 2 a stored - hi")
        bench.network.run(for: .seconds(1))
        #expect(ann.takeTexts() == [])
        store.release()
        bench.network.run(for: .seconds(1))
        let texts = ann.takeTexts()
        #expect(texts.first?.hasPrefix("sub a ") ?? false)
        #expect(texts.contains("pub a 1 ann hi"))
        #expect(texts.contains("published 2 1"))
    }

    @Test func `what the store refuses nobody gets, and the publisher is told`() async throws {
        let store = SlowStore()
        let bench = try await LineBench { $0.store = store }
        let ann = try bench.join("ann")
        _ = bench.ask(ann, "sub 1 a")
        bench.network.run(for: .seconds(1))
        _ = ann.takeTexts()
        store.fails = true
        #expect(bench.ask(ann, "pub 2 a stored - lost") == ["fail 2 9"])
        store.fails = false
        #expect(bench.ask(ann, "pub 3 a stored - kept").contains("pub a 1 ann kept"))
    }

    @Test func `a topic that its store was told to forget begins anew, in another epoch`()
        async throws
    {
        let store = SlowStore()
        let bench = try await LineBench { $0.store = store }
        let ann = try bench.join("ann")
        let epoch = bench.ask(ann, "sub 1 a")[0].split(separator: " ").map(String.init)[2]
        for number in 1...3 { _ = bench.ask(ann, "pub \(number) a stored - m\(number)") }
        try await bench.wait { try await store.removeHistory(of: "a") }
        for number in 4...7 {
            let texts = bench.ask(ann, "pub \(number) a stored - m\(number)")
            #expect(texts.contains("pub a \(number - 3) ann m\(number)"))
        }
        let bob = try bench.join("bob")
        let texts = bench.ask(bob, "sub 1 a \(epoch) 3").prefix(5)
        let words = try #require(texts.first).split(separator: " ").map(String.init)
        #expect(words[2] != epoch)
        #expect(words[3...] == ["0", "false"])
        #expect(
            texts.dropFirst()
                == ["1 ann m4", "2 ann m5", "3 ann m6", "4 ann m7"].map { "pub a \($0)" }[...])
    }

    @Test(arguments: [1, 150])
    func `who catches up while the store forgets the topic is told of the gap`(
        since: Int
    ) async throws {
        let store = SlowStore()
        let bench = try await LineBench(loops: 1) {
            $0.store = store
            $0.topic.historyMessagesMax = 1_000
        }
        let hub = bench.hub
        let opened = try await bench.wait { await hub.openTopic("a") }
        let topic = try #require(opened)
        let filling = String(repeating: "x", count: 1_000)
        func publish(_ numbers: ClosedRange<Int>) {
            for number in numbers {
                topic.publish(Publication(HubMessage(text: "\(number) \(filling)")))
                bench.network.run(for: .milliseconds(1))
            }
            bench.network.run(for: .milliseconds(100))
        }
        publish(1...200)
        let epoch = topic.epoch
        let bob = try bench.join("bob", windowBytes: 4 << 10)
        bob.peer.stall()
        bob.say("sub 1 a \(epoch) 0")
        bench.network.run(for: .milliseconds(100))
        try await bench.wait { try await store.removeHistory(of: "a") }
        publish(201...200 + since)
        bob.peer.resume()
        bench.network.run(for: .seconds(5))
        let texts = bob.takeTexts().filter { !$0.hasPrefix("who ") }
        let gap = try #require(texts.firstIndex(of: "sub a \(topic.epoch) 0 false"))
        #expect(topic.epoch != epoch)
        let offsets = texts[(gap + 1)...].map { $0.split(separator: " ")[2] }
        #expect(offsets == (1...since).map { "\($0)" })
    }

    @Test func `a topic that cannot be read holds up no other, and who publishes there is told`()
        async throws
    {
        let store = SlowStore()
        store.unreadable = "bad"
        let bench = try await LineBench { $0.store = store }
        let ann = try bench.join("ann")
        #expect(bench.ask(ann, "pub 1 bad stored - lost") == ["fail 1 9"])
        #expect(bench.ask(ann, "pub 2 good stored - kept") == ["published 2 1"])
        ann.say("pub 3 bad stored - lost")
        #expect(Set(bench.ask(ann, "pub 4 good stored - kept")) == ["fail 3 9", "published 4 2"])
        store.unreadable = nil
        bench.network.run(for: .seconds(2))
        #expect(bench.ask(ann, "pub 5 bad stored - kept") == ["published 5 1"])
    }

    @Test func `of one session only so much waits for a topic that cannot be read`() async throws {
        let store = SlowStore()
        store.unreadable = "bad"
        let bench = try await LineBench {
            $0.store = store
            $0.subscriptionsPerSessionMax = 2
            $0.tasksPerSessionMax = 1
        }
        let ann = try bench.join("ann")
        for number in 1...4 { ann.say("sub \(number) bad") }
        ann.say("hist 5 bad x x 2")
        ann.say("unsub 6 bad")
        bench.network.run(for: .milliseconds(100))
        #expect(ann.takeTexts() == [4, 5].map { "fail \($0) \(FailureCode.overloaded.rawValue)" })
        store.unreadable = nil
        bench.network.run(for: .seconds(2))
        #expect(
            ann.takeTexts().filter { !$0.hasPrefix("who ") }.map { String($0.prefix(5)) }
                == ["sub b", "sub b", "sub b", "unsub"])
        // There is room again.
        store.unreadable = "worse"
        #expect(bench.ask(ann, "sub 7 worse") == [])
    }

    @Test func `who waits for as many topics as it may have may still ask, and leave`()
        async throws
    {
        let store = SlowStore()
        store.hold()
        let bench = try await LineBench(loops: 1) {
            $0.store = store
            $0.subscriptionsPerSessionMax = 3
        }
        let ann = try bench.join("ann")
        for number in 1...3 { ann.say("sub \(number) t\(number)") }
        for line in ["hist 4 other x x 2", "unsub 5 t1", "unsub 6 t2"] { ann.say(line) }
        bench.network.run(for: .seconds(1))
        #expect(ann.takeTexts() == [])
        store.release()
        bench.network.run(for: .seconds(1))
        let texts = ann.takeTexts().filter { !$0.hasPrefix("who ") }
        #expect(
            texts.map { $0.split(separator: " ").prefix(2).joined(separator: " ") }.sorted()
                == ["fail 4", "sub t1", "sub t2", "sub t3", "unsub t1", "unsub t2"])
        let id = try #require(bench.hub.sessions(of: "ann").first)
        let isIdle = Mutex(false)
        bench.hub.withSession(id) { session in isIdle.withLock { $0 = session.tasks == nil } }
        bench.network.run(for: .milliseconds(1))
        #expect(isIdle.withLock { $0 })
    }

    @Test func `who leaves a topic that has been read while its loop does not know that has left`()
        async throws
    {
        let store = SlowStore()
        store.hold()
        let bench = try await LineBench(loops: 1) { $0.store = store }
        let ann = try bench.join("ann")
        ann.say("sub 1 a")
        bench.network.run(for: .seconds(1))
        let topic = try #require(bench.hub.existingTopic("a"))
        // As where another loop has read it, and has not told this one yet.
        let waiting = topic.state.withLock { state in
            state.isLoaded = true
            return state.waiting.takeAll()
        }
        ann.say("unsub 2 a")
        bench.network.run(for: .seconds(1))
        for body in waiting { body() }
        bench.network.run(for: .seconds(1))
        let texts = ann.takeTexts().filter { !$0.hasPrefix("who ") }
        #expect(texts.map { String($0.prefix(5)) } == ["sub a", "unsub"])
        store.release()
        bench.network.run(for: .seconds(1))
    }

    @Test func `who goes on in an epoch that its loop has yet to reach stays where it is`()
        async throws
    {
        let bench = try await LineBench(loops: 1) { $0.store = SlowStore() }
        let (ann, bob) = (try bench.join("ann"), try bench.join("bob"))
        _ = bench.ask(ann, "sub 1 a")
        for number in 1...2 { _ = bench.ask(ann, "pub \(number) a stored - m\(number)") }
        bench.network.run(for: .seconds(1))
        _ = (ann.takeTexts(), bob.takeTexts())
        let topic = try #require(bench.hub.existingTopic("a"))
        let id = try #require(bench.hub.sessions(of: "bob").first)
        let epoch = Epoch.random()
        bench.hub.withSession(id) { session in
            topic.state.withLock { state in
                for offset in 1...3 as ClosedRange<UInt64> {
                    _ = topic.commit(
                        Publication(HubMessage(text: "n\(offset)")),
                        at: TopicPosition(epoch: epoch, offset: offset),
                        Timestamp(milliseconds: 0), &state)
                }
            }
            let known = TopicPosition(epoch: epoch, offset: 2)
            do throws(SubscribeError) {
                try session.shard.follow(session, topic, after: known, request: nil)
            } catch {
                Issue.record("\(error)")
            }
            session.shard.post(topic)
        }
        bench.network.run(for: .seconds(1))
        let texts = bob.takeTexts().filter { !$0.hasPrefix("who ") }
        #expect(texts == ["sub a \(epoch) 2 true", "pub a 3 - n3"])
        let live = ann.takeTexts().filter { $0.hasPrefix("pub ") }
        #expect(live == (1...3).map { "pub a \($0) - n\($0)" })
    }
}
