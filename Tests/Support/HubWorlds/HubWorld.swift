import Hub
import HubTesting
import NetPoll
import NetPollTesting
import WSFrame
import WSTransport

/// A whole hub with its clients, which do at random what clients, networks and operators do, and
/// check with everything they hear that nothing was lost, doubled or out of order in silence.
package final class HubWorld {
    /// What one client knows of one topic.
    struct Watch {
        var epoch: String
        var offset: UInt64
        var isSubscribed = false
        /// The end of the subscription was asked for and not answered.
        var isLeaving = false
    }

    final class Client {
        let name: String
        var link: SimulatedClient?
        var watches: [String: Watch] = [:]
        /// Ids of the inbox, and how often each came.
        var inbox: [UInt64: Int] = [:]
        /// Messages without an offset that came.
        var passing: Set<String> = []

        init(name: String) {
            self.name = name
        }
    }

    static let topics = ["a", "b", "c"]
    private static let waitingMessagesMax = 6
    private static let unicastMessagesMax = 30

    let seed: UInt64
    private var random: SeededGenerator
    private let store: SlowStore
    private let policy: SlowSubscriberPolicy
    private var bench: LineBench
    let clients: [Client]
    /// What stands where, whoever saw it first.
    private var contents: [String: String] = [:]
    private var published = 0
    private var deposited: [String: Int] = [:]
    private var problems: [String] = []

    private init(seed: UInt64, clients count: Int) async throws {
        self.seed = seed
        var random = SeededGenerator(seed: seed)
        let policies: [SlowSubscriberPolicy] = [
            .catchUp, .catchUp, .skipToOldest, .skipToLatest, .conflate, .close(.tryAgainLater),
        ]
        policy = policies[Int.random(in: 0..<policies.count, using: &random)]
        store = SlowStore(
            durability: Bool.random(using: &random) ? .durable : .process)
        self.random = random
        clients = (0..<count).map { Client(name: "u\($0)") }
        bench = try await Self.makeBench(seed: seed, store, policy)
    }

    private static func makeBench(
        seed: UInt64, _ store: SlowStore, _ policy: SlowSubscriberPolicy
    ) async throws -> LineBench {
        var faults = Faults.cuts
        faults.clockJumps = 0.001
        faults.resets = 0.001
        return try await LineBench(seed: seed, faults: faults, loops: 2) {
            $0.store = store
            $0.inbox = InboxPolicy()
            $0.topic.slowSubscribers = policy
            $0.topic.historyMessagesMax = 40
            $0.topic.waitingMessagesMax = waitingMessagesMax
            $0.unicast.messagesMax = unicastMessagesMax
            $0.topicIdleTimeout = .seconds(20)
        }
    }

    /// Lives one world to its end.
    ///
    /// - Returns: What went wrong in it; nothing where all is well.
    package static func problems(
        seed: UInt64, clients: Int, steps: Int
    ) async throws -> [String] {
        let world = try await HubWorld(seed: seed, clients: clients)
        for _ in 0..<steps { try await world.step() }
        try world.settle()
        try await world.check()
        return world.problems
    }

    // MARK: - Steps

    /// Does one thing at random.
    private func step() async throws {
        let client = clients[Int.random(in: 0..<clients.count, using: &random)]
        let topic = Self.topics[Int.random(in: 0..<Self.topics.count, using: &random)]
        switch Int.random(in: 0..<40, using: &random) {
        case 0: drop(client)
        case 1: client.link?.peer.stall()
        case 2...3: client.link?.peer.resume()
        case 4: leave(topic, client)
        case 5 where Int.random(in: 0..<4, using: &random) == 0: try await restart()
        case 6:
            bench.network.jumpClock(by: .milliseconds(Int64.random(in: 0...4_000, using: &random)))
        case 7...9: try deposit(for: client)
        case 10...14: run(.milliseconds(Int64.random(in: 0...300, using: &random)))
        case 15...21: try join(topic, client)
        case 22...24: publish("transient", to: topic, by: client)
        case 25...26: publish("volatile", to: topic, by: client)
        default: publish("stored", to: topic, by: client)
        }
    }

    /// Lets everything come to rest with everyone there.
    private func settle() throws {
        for client in clients { client.link?.peer.resume() }
        run(.seconds(8))
        for _ in 0..<4 {
            for client in clients {
                for (topic, watch) in client.watches where !watch.isSubscribed {
                    try join(topic, client)
                }
            }
            run(.seconds(8))
        }
        run(.seconds(400))
    }

    private func run(_ duration: Duration) {
        bench.network.run(for: duration)
        let most = bench.hub.waitingMost
        if most.inWindow > Self.waitingMessagesMax || most.alone > Self.unicastMessagesMax {
            note("too much waits: \(most)")
        }
        for client in clients { read(client) }
    }

    private func connect(_ client: Client) throws {
        guard client.link == nil else { return }
        guard let peer = bench.network.connect(to: bench.address, windowBytes: 1 << 10) else {
            return
        }
        let link = SimulatedClient(peer: peer)
        link.requestUpgrade("/ws?\(client.name)", subprotocol: "lines.1")
        client.link = link
        run(.milliseconds(100))
    }

    private func drop(_ client: Client) {
        read(client)
        guard let link = client.link else { return }
        if Bool.random(using: &random) { link.peer.reset() } else { link.peer.vanish() }
        lost(client)
    }

    private func lost(_ client: Client) {
        client.link = nil
        for topic in client.watches.keys {
            client.watches[topic]?.isSubscribed = false
            client.watches[topic]?.isLeaving = false
        }
    }

    private func join(_ topic: String, _ client: Client) throws {
        try connect(client)
        guard let link = client.link, client.watches[topic]?.isSubscribed != true else { return }
        if var watch = client.watches[topic] {
            watch.isSubscribed = true
            client.watches[topic] = watch
            link.say("sub 1 \(topic) \(watch.epoch) \(watch.offset)")
        } else {
            client.watches[topic] = Watch(epoch: "", offset: 0, isSubscribed: true)
            link.say("sub 1 \(topic)")
        }
    }

    private func leave(_ topic: String, _ client: Client) {
        guard let link = client.link, let watch = client.watches[topic], watch.isSubscribed,
            !watch.isLeaving
        else { return }
        // What was under way has to arrive before one may ask to go on from it.
        client.watches[topic]?.isLeaving = true
        link.say("unsub 2 \(topic)")
    }

    private func publish(_ durability: String, to topic: String, by client: Client) {
        published += 1
        client.link?.say(
            "pub \(published) \(topic) \(durability) - m\(published)-\(String(repeating: "x", count: 90))"
        )
    }

    private func deposit(for client: Client) throws {
        deposited[client.name, default: 0] += 1
        let hub = bench.hub
        let (name, number) = (client.name, deposited[client.name] ?? 0)
        Task(executorPreference: hub.firstLoop) {
            // What is missing is found at the end.
            _ = try? await hub.deposit(
                HubMessage(text: "d\(number)"), for: name, idempotencyKey: "\(number)")
        }
        bench.network.runUntilIdle()
    }

    /// The process is killed and started again, with what its store has.
    private func restart() async throws {
        bench.network.runUntilIdle()
        for client in clients {
            read(client)
            lost(client)
        }
        bench = try await Self.makeBench(
            seed: random.next(), store, policy)
    }

    // MARK: - What clients hear

    private func read(_ client: Client) {
        guard let link = client.link else { return }
        for line in link.takeTexts() { hear(line, client) }
        if link.peer.isReset || link.peer.isEnded || link.closeCode != nil { lost(client) }
    }

    private func hear(_ line: String, _ client: Client) {
        let words = line.split(separator: " ").map(String.init)
        switch words[0] {
        case "sub": subscribed(words, client)
        case "pub": arrived(words, client)
        case "inbox": delivered(words, client)
        case "unsub":
            client.watches[words[1]]?.isSubscribed = false
            client.watches[words[1]]?.isLeaving = false
        case "welcome", "published", "who", "fail", "pong": break
        default: note("\(client.name) does not know \(line)")
        }
    }

    private func subscribed(_ words: [String], _ client: Client) {
        guard var watch = client.watches[words[1]], let offset = UInt64(words[3]) else {
            return note("\(client.name) was subscribed to \(words[1])")
        }
        if words[4] == "true", watch.epoch != words[2] || watch.offset != offset {
            note("\(client.name) recovered \(words) at \(watch.epoch) \(watch.offset)")
        }
        watch.epoch = words[2]
        watch.offset = offset
        client.watches[words[1]] = watch
    }

    private func arrived(_ words: [String], _ client: Client) {
        let (topic, text) = (words[1], words[4])
        guard let offset = UInt64(words[2]), var watch = client.watches[topic] else {
            return note("\(client.name) got \(words)")
        }
        guard offset > 0 else {
            if !client.passing.insert("\(topic) \(text)").inserted {
                note("\(client.name) got \(text) twice")
            }
            return
        }
        let mayMiss =
            switch policy {
            case .catchUp, .close: false
            case .skipToOldest, .skipToLatest, .conflate: true
            }
        if offset != watch.offset + 1, !(mayMiss && offset > watch.offset) {
            note("\(client.name) got \(topic) \(offset) after \(watch.offset), \(policy)")
        }
        watch.offset = offset
        client.watches[topic] = watch
        let place = "\(topic) \(watch.epoch) \(offset)"
        if contents[place, default: text] != text { note("two messages stand at \(place)") }
        contents[place] = text
    }

    private func delivered(_ words: [String], _ client: Client) {
        guard let id = UInt64(words[1]) else { return }
        client.inbox[id, default: 0] += 1
        if Int.random(in: 0..<4, using: &random) > 0 || client.inbox[id, default: 0] > 2 {
            client.link?.say("ack \(id)")
        }
    }

    private func note(_ problem: String) {
        problems.append("seed \(seed): \(problem)")
    }

    // MARK: - What has to hold at the end

    private func check() async throws {
        for client in clients {
            for (name, watch) in client.watches where watch.isSubscribed && client.link != nil {
                guard policy == .catchUp, let topic = bench.hub.existingTopic(name),
                    watch.epoch == topic.epoch.description
                else { continue }
                if watch.offset != topic.position.offset {
                    note("\(client.name) is at \(watch.offset) of \(topic.position.offset)")
                }
            }
            let count = deposited[client.name] ?? 0
            if client.link != nil, client.inbox.count != count {
                note("\(client.name) got \(client.inbox.count) of \(count) deposits")
            }
        }
        for client in clients {
            client.link?.peer.reset()
            lost(client)
        }
        bench.network.run(for: .seconds(120))
        let left = bench.hub.held
        if left != HubServer.Held() { note("left behind: \(left)") }
    }
}
