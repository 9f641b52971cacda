public import Hub
import Synchronization
import WSFrame

/// What every ``/Hub/Broker`` has to keep.
public enum BrokerSuite {
    /// The rules; each wants a broker that connects nobody else.
    ///
    /// They wait for what has to arrive without a limit: run them under one of your test library's.
    public static let checks: [ConformanceCheck<any Broker>] = [
        .init("a publication comes to all followers, its own node among them") { broker in
            let (nodes, ids) = try await joined(broker, 3)
            for index in 0..<2 { try await broker.follow(["a"], from: ids[index]) }
            try await broker.follow(["b"], from: ids[2])
            try await broker.publish([publication("a", "1")], from: ids[0])
            try await broker.publish([publication("b", "2")], from: ids[0])
            for (node, text) in zip(nodes, ["1", "1", "2"]) {
                try expect(await node.publications(1).map(\.text), [text], "publications")
            }
        },
        .init("every field is carried") { broker in
            let (nodes, ids) = try await joined(broker, 2)
            try await broker.follow(["a"], from: ids[1])
            let sent = [
                BrokerPublication(
                    topic: "a", message: MessageStoreSuite.fullMessage,
                    position: MessageStoreSuite.position(1 << 60)),
                BrokerPublication(topic: "a", message: HubMessage(text: ""), isVolatile: true),
            ]
            try await broker.publish(sent, from: ids[0])
            try expect(await nodes[1].publications(2), sent, "publications")
        },
        .init("two nodes' publications reach all in one order, each node's in its own") { broker in
            let (nodes, ids) = try await joined(broker, 3)
            for id in ids { try await broker.follow(["a"], from: id) }
            try await withThrowingTaskGroup { group in
                for (index, id) in ids.enumerated() {
                    group.addTask {
                        for number in 0..<50 {
                            try await broker.publish(
                                [publication("a", "\(index) \(number)")], from: id)
                        }
                    }
                }
                try await group.waitForAll()
            }
            let order = await nodes[0].publications(150).map(\.text)
            for node in nodes.dropFirst() {
                try expect(await node.publications(150).map(\.text), order, "order")
            }
            for index in ids.indices {
                let own = order.filter { $0.hasPrefix("\(index) ") }
                try expect(own, (0..<50).map { "\(index) \($0)" }, "order of node \(index)")
            }
        },
        .init("a topic that is followed no more is silent") { broker in
            let (nodes, ids) = try await joined(broker, 2)
            try await broker.follow(["a", "b"], from: ids[1])
            try await broker.unfollow(["a"], from: ids[1])
            try await broker.publish([publication("a", "1"), publication("b", "2")], from: ids[0])
            try expect(await nodes[1].publications(1).map(\.text), ["2"], "publications")
        },
        .init("commands come to all nodes") { broker in
            let (nodes, ids) = try await joined(broker, 2)
            let commands: [BrokerCommand] = [
                .send(
                    MessageStoreSuite.fullMessage,
                    to: Recipients(.users(["ann", "é"]), exceptUsers: ["bob"])),
                .send(HubMessage(text: ""), to: Recipients(.device(user: "ann", device: "phone"))),
                .send(HubMessage(text: ""), to: Recipients(.topic("a"))),
                .kick(Recipients(.everyone), code: .policyViolation, reason: "go"),
                .ban(user: "eve", until: nil), .ban(user: "eve", until: MessageStoreSuite.noon),
                .unban(user: "eve"), .inboxChanged(user: "ann"),
            ]
            for command in commands { try await broker.command(command, from: ids[0]) }
            for node in nodes {
                try expect(await node.commands(commands.count), commands, "commands")
            }
        },
        .init("a node that left is unknown and hears nothing") { broker in
            let (nodes, ids) = try await joined(broker, 2)
            for id in ids { try await broker.follow(["a"], from: id) }
            await broker.leave(ids[1])
            await broker.leave(ids[1])
            try await broker.publish([publication("a", "1")], from: ids[0])
            try expect(await nodes[0].publications(1).count, 1, "publications of who is left")
            try expect(nodes[1].count, 0, "publications of who left")
            do throws(BrokerError) {
                try await broker.publish([publication("a", "2")], from: ids[1])
            } catch {
                try expect(error.reason, .unknownNode, "publishing after leaving")
                return
            }
            throw ConformanceFailure(description: "publishing after leaving: no error")
        },
    ]

    private static func publication(_ topic: String, _ text: String) -> BrokerPublication {
        BrokerPublication(topic: topic, message: HubMessage(text: text))
    }

    private static func joined(
        _ broker: any Broker, _ count: Int
    ) async throws -> ([RecordingNode], [NodeID]) {
        let nodes = (0..<count).map { _ in RecordingNode() }
        var ids: [NodeID] = []
        for node in nodes { ids.append(try await broker.join(node)) }
        try expect(Set(ids).count, count, "names of nodes")
        return (nodes, ids)
    }
}

extension BrokerPublication {
    var text: String { message.payload.text }
}

/// Keeps what a broker tells it.
private final class RecordingNode: BrokerNode {
    private struct State {
        var publications: [BrokerPublication] = []
        var commands: [BrokerCommand] = []
        var waiting: [(isMet: (Int, Int) -> Bool, continuation: CheckedContinuation<Void, Never>)] =
            []
    }

    // unsafe use is excluded by the lock; closures in it are called under it only.
    private let state = Mutex(State())

    var count: Int { state.withLock { $0.publications.count } }

    func received(_ publications: [BrokerPublication]) {
        update { $0.publications += publications }
    }

    func received(_ command: BrokerCommand) { update { $0.commands.append(command) } }

    func linkChanged(to state: BrokerLink) {}

    /// Everything published so far, once that is at least so much.
    func publications(_ count: Int) async -> [BrokerPublication] {
        await wait { publications, _ in publications >= count }
        return state.withLock { $0.publications }
    }

    func commands(_ count: Int) async -> [BrokerCommand] {
        await wait { _, commands in commands >= count }
        return state.withLock { $0.commands }
    }

    private func wait(until isMet: @escaping @Sendable (Int, Int) -> Bool) async {
        await withCheckedContinuation { continuation in
            update { $0.waiting.append((isMet, continuation)) }
        }
    }

    private func update(_ body: (inout sending State) -> Void) {
        let met = state.withLock { state in
            body(&state)
            let counts = (state.publications.count, state.commands.count)
            let met = state.waiting.filter { $0.isMet(counts.0, counts.1) }.map(\.continuation)
            state.waiting.removeAll { $0.isMet(counts.0, counts.1) }
            return met
        }
        for continuation in met { continuation.resume() }
    }
}
