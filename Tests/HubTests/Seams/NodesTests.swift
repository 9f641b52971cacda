import Hub
import HubTesting
import HubWorlds
import NetPollTesting
import Synchronization
import Testing
import WSFrame

@Suite("Hubs of several nodes, on simulated networks")
struct NodesTests {
    /// Two hubs with one store, connected by a broker that can be cut off.
    struct Nodes {
        let broker = FragileBroker()
        let store = SlowStore()
        let one: LineBench
        let other: LineBench

        init(
            isCut: Bool = false, historyMessagesMax: Int = 100,
            _ further: @escaping (inout HubConfiguration) -> Void = { _ in }
        ) async throws {
            let (broker, store) = (broker, store)
            if isCut { broker.cut() }
            let configure: (inout HubConfiguration) -> Void = {
                $0.broker = broker
                $0.store = store
                $0.inbox = InboxPolicy()
                $0.topic.historyMessagesMax = historyMessagesMax
                further(&$0)
            }
            one = try await LineBench(configure)
            other = try await LineBench(seed: 1, configure)
        }

        /// Lets both go on, in turns.
        func settle() {
            for _ in 0..<20 {
                one.network.run(for: .milliseconds(100))
                other.network.run(for: .milliseconds(100))
            }
        }
    }

    private func messages(_ texts: [String]) -> [String] {
        texts.filter { $0.hasPrefix("pub ") }
    }

    @Test func `what one node publishes the sessions of both get, in one order`() async throws {
        let nodes = try await Nodes()
        let ann = try nodes.one.join("ann")
        let bob = try nodes.other.join("bob")
        ann.say("sub 1 a")
        bob.say("sub 1 a")
        nodes.settle()
        for number in 2...6 {
            ann.say("pub \(number) a stored - a\(number)")
            bob.say("pub \(number) a stored - b\(number)")
        }
        nodes.settle()
        let (first, second) = (messages(ann.takeTexts()), messages(bob.takeTexts()))
        #expect(first == second)
        let offsets: [String] = first.map { line in String(line.split(separator: " ")[2]) }
        let expected: [String] = (1...10).map { "\($0)" }
        #expect(offsets == expected)
        ann.say("pub 9 a volatile - hint")
        nodes.settle()
        #expect(messages(bob.takeTexts()) == ["pub a 0 ann hint"])
    }

    @Test func `a node without the broker serves its own, and the others catch up`() async throws {
        let nodes = try await Nodes()
        let ann = try nodes.one.join("ann")
        let bob = try nodes.other.join("bob")
        ann.say("sub 1 a")
        bob.say("sub 1 a")
        nodes.settle()
        _ = (ann.takeTexts(), bob.takeTexts())
        nodes.broker.cut()
        for number in 1...3 { ann.say("pub \(number) a stored - m\(number)") }
        nodes.settle()
        #expect(messages(ann.takeTexts()) == (1...3).map { "pub a \($0) ann m\($0)" })
        #expect(messages(bob.takeTexts()) == [])
        nodes.broker.mend()
        nodes.settle()
        #expect(messages(bob.takeTexts()) == (1...3).map { "pub a \($0) ann m\($0)" })
        bob.say("pub 4 a stored - m4")
        nodes.settle()
        #expect(messages(ann.takeTexts()) == ["pub a 4 bob m4"])
        #expect(messages(bob.takeTexts()) == ["pub a 4 bob m4"])
    }

    @Test func `a publication that never came is read from the store with the next`() async throws {
        let nodes = try await Nodes()
        let ann = try nodes.one.join("ann")
        let bob = try nodes.other.join("bob")
        ann.say("sub 1 a")
        bob.say("sub 1 a")
        nodes.settle()
        _ = (ann.takeTexts(), bob.takeTexts())
        nodes.broker.swallow()
        ann.say("pub 1 a stored - m1")
        nodes.settle()
        #expect(messages(bob.takeTexts()) == [])
        nodes.broker.deliver()
        ann.say("pub 2 a stored - m2")
        nodes.settle()
        #expect(messages(bob.takeTexts()) == ["pub a 1 ann m1", "pub a 2 ann m2"])
        #expect(messages(ann.takeTexts()) == ["pub a 1 ann m1", "pub a 2 ann m2"])
    }

    @Test func `users are reached, kicked and banned on every node`() async throws {
        let nodes = try await Nodes()
        let desk = try nodes.one.join("ann/desk")
        let phone = try nodes.other.join("ann/phone")
        nodes.one.hub.send(HubMessage(text: "hi"), to: Recipients(.users(["ann"])))
        nodes.settle()
        #expect(desk.takeTexts() == ["msg - hi"])
        #expect(phone.takeTexts() == ["msg - hi"])
        let ids = nodes.one.hub.sessions(of: "ann")
        nodes.one.hub.send(HubMessage(text: "you"), to: Recipients(.users(["ann"])), except: ids)
        nodes.settle()
        #expect(desk.takeTexts() == [])
        #expect(phone.takeTexts() == ["msg - you"])
        nodes.one.hub.kick(Recipients(.device(user: "ann", device: "phone")), code: .normal)
        nodes.settle()
        #expect(phone.closeCode == 1_000)
        #expect(desk.closeCode == nil)
        nodes.other.hub.ban(user: "ann")
        nodes.settle()
        #expect(desk.closeCode == 4_403)
    }

    @Test func `a message for an inbox reaches the node where its user is`() async throws {
        let nodes = try await Nodes()
        let ann = try nodes.other.join("ann")
        let hub = nodes.one.hub
        let deposited = try await nodes.one.wait {
            try await hub.deposit(HubMessage(text: "one"), for: "ann")
        }
        nodes.settle()
        guard case .stored(let id) = deposited else {
            Issue.record("\(deposited)")
            return
        }
        #expect(ann.takeTexts() == ["inbox \(id) one"])
    }

    /// Be it that both nodes were cut off, or the one only that it was given to.
    @Test(arguments: [0..<2, 0..<1])
    func `a message for an inbox that came without the broker is given when that is back`(
        cutOff: Range<Int>
    ) async throws {
        let nodes = try await Nodes()
        let ann = try nodes.other.join("ann")
        nodes.settle()
        nodes.broker.cut(noticedBy: cutOff)
        let hub = nodes.one.hub
        let deposited = try await nodes.one.wait {
            try await hub.deposit(HubMessage(text: "one"), for: "ann")
        }
        nodes.settle()
        guard case .stored(let id) = deposited else {
            Issue.record("\(deposited)")
            return
        }
        #expect(ann.takeTexts() == [])
        nodes.broker.mend(noticedBy: cutOff)
        nodes.settle()
        #expect(ann.takeTexts() == ["inbox \(id) one"])
    }

    @Test func `a node that could not join yet sends once, and not to who is not meant`()
        async throws
    {
        let nodes = try await Nodes(isCut: true)
        let ann = try nodes.one.join("ann")
        let bob = try nodes.one.join("bob")
        let eve = try nodes.other.join("eve")
        eve.say("sub 1 a")
        nodes.settle()
        _ = eve.takeTexts()
        let ids = nodes.one.hub.sessions(of: "ann")
        nodes.one.hub.send(HubMessage(text: "hi"), to: Recipients(.everyone), except: ids)
        nodes.settle()
        #expect(ann.takeTexts() == [])
        #expect(bob.takeTexts() == ["msg - hi"])
        nodes.broker.mend()
        nodes.settle()
        nodes.one.hub.send(HubMessage(text: "ho"), to: Recipients(.everyone), except: ids)
        nodes.settle()
        #expect(ann.takeTexts() == [])
        #expect(bob.takeTexts() == ["msg - ho"])
        #expect(eve.takeTexts() == ["msg - ho"])
    }

    @Test func `who missed more than the store keeps is told so, and goes on from there`()
        async throws
    {
        let nodes = try await Nodes(historyMessagesMax: 2)
        let ann = try nodes.one.join("ann")
        let bob = try nodes.other.join("bob")
        ann.say("sub 1 a")
        bob.say("sub 1 a")
        nodes.settle()
        ann.say("pub 1 a stored - m1")
        nodes.settle()
        let epoch = try #require(nodes.one.hub.existingTopic("a")?.epoch)
        _ = (ann.takeTexts(), bob.takeTexts())
        nodes.broker.cut()
        for number in 2...6 {
            ann.say("pub \(number) a stored - m\(number)")
            nodes.settle()
        }
        nodes.broker.mend()
        nodes.settle()
        let gap = "sub a \(epoch) 4 false"
        #expect(bob.takeTexts() == [gap, "pub a 5 ann m5", "pub a 6 ann m6"])
        #expect(messages(ann.takeTexts()) == (2...6).map { "pub a \($0) ann m\($0)" })
    }

    /// A topic of which the other node misses messages, more than the store keeps: 21 to 30 are left.
    func miss(_ ann: SimulatedClient, on nodes: Nodes) {
        nodes.broker.cut()
        for number in 2...30 { ann.say("pub \(number) a stored - m\(number)") }
        nodes.settle()
        nodes.broker.mend()
        nodes.settle()
    }

    @Test func `a slow one that falls behind where messages are missing is told of that`()
        async throws
    {
        let nodes = try await Nodes(historyMessagesMax: 10) { $0.topic.waitingMessagesMax = 3 }
        let ann = try nodes.one.join("ann")
        let bob = try nodes.other.join("bob", windowBytes: 4 << 10)
        ann.say("sub 1 a")
        bob.say("sub 1 a")
        nodes.settle()
        _ = bob.takeTexts()
        bob.peer.stall()
        let filling = String(repeating: "x", count: 20_000)
        ann.say("pub 1 a stored - \(filling)")
        nodes.settle()
        miss(ann, on: nodes)
        let epoch = try #require(nodes.other.hub.existingTopic("a")?.epoch)
        bob.peer.resume()
        nodes.settle()
        let kept = (21...30).map { "pub a \($0) ann m\($0)" }
        #expect(
            bob.takeTexts() == ["pub a 1 ann \(filling)", "sub a \(epoch) 20 false"] + kept)
    }

    @Test func `who missed what the store was told to forget is told so`() async throws {
        let nodes = try await Nodes()
        let ann = try nodes.one.join("ann")
        let bob = try nodes.other.join("bob")
        ann.say("sub 1 a")
        bob.say("sub 1 a")
        nodes.settle()
        for number in 1...3 { ann.say("pub \(number) a stored - m\(number)") }
        nodes.settle()
        let epoch = try #require(nodes.other.hub.existingTopic("a")?.epoch)
        _ = bob.takeTexts()
        nodes.broker.cut()
        for number in 4...6 { ann.say("pub \(number) a stored - m\(number)") }
        nodes.settle()
        let store = nodes.store
        try await nodes.one.wait { try await store.removeHistory(of: "a") }
        ann.say("pub 7 a stored - m7")
        nodes.settle()
        nodes.broker.mend()
        nodes.settle()
        let later = try #require(nodes.other.hub.existingTopic("a")?.epoch)
        #expect(later != epoch)
        #expect(bob.takeTexts() == ["sub a \(later) 0 false", "pub a 1 ann m7"])
    }
}

/// A broker in the process that can be out of reach, or lose what it is given.
final class FragileBroker: Broker {
    private struct State {
        var isCut = false
        var swallows = false
        var nodes: [any BrokerNode] = []
    }

    let latch = Latch()
    private let broker = InProcessBroker()
    private let state = Mutex(State())

    func cut(noticedBy noticing: Range<Int> = 0..<2) {
        let nodes = state.withLock { state in
            state.isCut = true
            return state.nodes.indices.filter(noticing.contains).map { state.nodes[$0] }
        }
        for node in nodes { node.linkChanged(to: .lost) }
    }

    func mend(noticedBy noticing: Range<Int> = 0..<2) {
        let nodes = state.withLock { state in
            state.isCut = false
            return state.nodes.indices.filter(noticing.contains).map { state.nodes[$0] }
        }
        for node in nodes { node.linkChanged(to: .connected) }
    }

    func swallow() { state.withLock { $0.swallows = true } }

    func deliver() { state.withLock { $0.swallows = false } }

    private func check() throws(BrokerError) {
        if state.withLock({ $0.isCut }) { throw BrokerError(.unavailable, detail: "cut") }
    }

    func join(_ node: any BrokerNode) async throws(BrokerError) -> NodeID {
        try check()
        state.withLock { $0.nodes.append(node) }
        return try await broker.join(node)
    }

    func leave(_ node: NodeID) async { await broker.leave(node) }

    func follow(_ topics: [String], from node: NodeID) async throws(BrokerError) {
        try check()
        try await broker.follow(topics, from: node)
    }

    func unfollow(_ topics: [String], from node: NodeID) async throws(BrokerError) {
        try check()
        try await broker.unfollow(topics, from: node)
    }

    func publish(
        _ batch: [BrokerPublication], from node: NodeID
    ) async throws(BrokerError) {
        await latch.pass()
        try check()
        guard !state.withLock({ $0.swallows }) else { return }
        try await broker.publish(batch, from: node)
    }

    func command(_ command: BrokerCommand, from node: NodeID) async throws(BrokerError) {
        await latch.pass()
        try check()
        try await broker.command(command, from: node)
    }
}
