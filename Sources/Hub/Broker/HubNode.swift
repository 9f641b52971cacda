import Logging
import NetPoll
import Synchronization

/// A hub's seat at a broker: what it publishes goes to all nodes that follow the topic, and comes back
/// to be delivered.
///
/// Where the broker cannot be reached the hub goes on with its own sessions, and says so in its log.
final class HubNode: BrokerNode {
    private enum Change: Sendable {
        case follow(String)
        case unfollow(String)
    }

    /// What other nodes, or all, have to do.
    private enum Order: Sendable {
        case all(BrokerCommand)
        /// Send it; this node has done so.
        case others(HubMessage, Recipients)

        /// Bytes of the message that it carries, if it does.
        var messageBytes: Int {
            switch self {
            case .all(.send(let message, _, _)), .others(let message, _): message.bytes
            case .all: 0
            }
        }
    }

    private struct Link {
        weak var hub: HubServer?
        var id: NodeID?
        /// Users of whose inboxes the other nodes could not be told, as many as may wait for the broker.
        var untold: Set<ExactName> = []
    }

    private let broker: any Broker
    private let loop: EventLoop
    private let logger: Logger
    private let untoldMax: Int
    private let link = Mutex(Link())
    private let publications: BatchWriter<BrokerPublication, Void>
    private let changes: BatchWriter<Change, Bool>
    private let commands: BatchWriter<Order, Void>
    private let relay = Relay()

    /// Lets the queues' tasks, which are made before the node is, find it.
    private final class Relay: Sendable {
        private struct State {
            weak var node: HubNode?
        }

        private let state = Mutex(State())

        var node: HubNode? {
            get { state.withLock { $0.node } }
            set { state.withLock { $0.node = newValue } }
        }
    }

    init(_ broker: any Broker, _ bounds: WaitingBounds, on loop: EventLoop, logger: Logger) {
        self.broker = broker
        self.loop = loop
        self.logger = logger
        untoldMax = bounds.itemsMax
        let relay = relay
        publications = BatchWriter(bounds, bytes: { $0.message.bytes }, on: loop) {
            batch throws(StoreError) in
            await relay.node?.send(batch)
            return Array(repeating: (), count: batch.count)
        }
        let unbounded = WaitingBounds(itemsMax: .max, bytesMax: .max, ledger: bounds.ledger)
        changes = BatchWriter(unbounded, on: loop) { batch throws(StoreError) in
            var answers: [Bool] = []
            for change in batch { answers.append(await relay.node?.change(change) ?? false) }
            return answers
        }
        commands = BatchWriter(bounds, bytes: { $0.messageBytes }, on: loop) {
            batch throws(StoreError) in
            for order in batch { await relay.node?.send(order) }
            return Array(repeating: (), count: batch.count)
        }
        relay.node = self
    }

    func attach(to hub: HubServer) {
        link.withLock { $0.hub = hub }
    }

    private var hub: HubServer? { link.withLock { $0.hub } }

    /// Its name among the nodes, once it has joined.
    var id: NodeID? { link.withLock { $0.id } }

    // MARK: - From the hub

    /// Joins the other nodes, unless it has.
    @discardableResult
    func join() async throws(BrokerError) -> NodeID {
        if let id { return id }
        let id = try await broker.join(self)
        let known = link.withLock { link in
            let known = link.id
            if known == nil { link.id = id }
            return known
        }
        // Two tasks may have joined at once; one seat is enough.
        guard let known else { return id }
        await broker.leave(id)
        return known
    }

    /// Joins, and says so in the log where that fails: whatever is published tries again.
    func joinIfPossible() async {
        do throws(BrokerError) {
            try await join()
        } catch {
            complain("the broker was not joined", error)
        }
    }

    func leave() async {
        guard let id = link.withLock({ $0.id.take() }) else { return }
        await broker.leave(id)
    }

    /// Publishes what is not stored.
    func publish(_ publication: Publication, to topic: Topic) -> PublishOutcome {
        let now = topic.shards[0].configuration.calendar()
        let answer = topic.state.withLock { state -> PublishOutcome? in
            if let known = topic.known(publication, at: now, state) { return known }
            guard topic.hasRoom(for: publication.bytes, state) else {
                state.metrics.refused += 1
                return .overloaded
            }
            topic.remember(publication, .published(nil), at: now, &state)
            topic.count(&state)
            return nil
        }
        if let answer { return answer }
        let published = BrokerPublication(
            topic: topic.name, message: publication.stored(offset: 0),
            isVolatile: publication.durability == .volatile)
        let isTaken = publications.submit(published) { result in
            if case .failure = result { topic.state.withLock { $0.metrics.refused += 1 } }
        }
        guard !isTaken else { return .published(nil) }
        // The queue is full: it is not published, and may be tried again.
        topic.state.withLock { topic.forget(publication, at: now, &$0) }
        return .overloaded
    }

    /// Publishes what the store has.
    func publish(_ publication: Publication, to topic: Topic, at position: TopicPosition) {
        let published = BrokerPublication(
            topic: topic.name, message: publication.stored(offset: position.offset),
            position: position)
        publications.submit(published) { result in
            // The queue is full: this node reads it from the store, and others when they miss it.
            if case .failure = result { topic.catchUp() }
        }
    }

    /// Has every node do it, this one among them.
    func command(_ command: BrokerCommand) {
        commands.submit(.all(command)) { result in
            if case .failure = result { self.obeyAlone(command) }
        }
    }

    /// Does it on this node only; what inboxes have is told to the others when they can be reached again.
    private func obeyAlone(_ command: BrokerCommand) {
        if case .inboxChanged(let user) = command {
            link.withLock { link in
                if link.untold.count < untoldMax { link.untold.insert(ExactName(user)) }
            }
        }
        hub?.obey(command, on: id)
    }

    /// Has every other node send it. What this one is called they learn when it goes out: it may not have
    /// joined yet.
    func sendElsewhere(_ message: HubMessage, to recipients: Recipients) {
        // Where the queue is full it goes nowhere else: it is best effort.
        commands.submit(.others(message, recipients)) { _ in }
    }

    /// Follows a topic; returns when what is published from now on arrives, or when that failed and is
    /// tried again later.
    func follow(_ topic: Topic) async {
        let name = topic.name
        let isDone = await withCheckedContinuation { continuation in
            changes.submit(.follow(name)) { result in
                guard case .success(let isDone) = result else {
                    return continuation.resume(returning: false)
                }
                continuation.resume(returning: isDone)
            }
        }
        guard !isDone else { return }
        loop.execute { [loop] in
            loop.schedule(after: .seconds(1), FollowLater(self, topic))
        }
    }

    fileprivate func followAgain(_ topic: Topic) {
        Task(executorPreference: loop) {
            await self.follow(topic)
            topic.catchUp()
        }
    }

    func unfollow(_ name: String) {
        changes.submit(.unfollow(name)) { _ in }
    }

    // MARK: - To the broker

    private func send(_ batch: [BrokerPublication]) async {
        do throws(BrokerError) {
            try await broker.publish(batch, from: try await join())
        } catch {
            complain("publications went to this node only", error)
            received(batch)
        }
    }

    private func send(_ order: Order) async {
        do throws(BrokerError) {
            let id = try await join()
            switch order {
            case .all(let command):
                try await broker.command(command, from: id)
            case .others(let message, let recipients):
                try await broker.command(.send(message, to: recipients, notBy: id), from: id)
            }
        } catch {
            complain("a command went to this node only", error)
            if case .all(let command) = order { obeyAlone(command) }
        }
    }

    private func change(_ change: Change) async -> Bool {
        do throws(BrokerError) {
            let id = try await join()
            switch change {
            case .follow(let topic): try await broker.follow([topic], from: id)
            case .unfollow(let topic): try await broker.unfollow([topic], from: id)
            }
            return true
        } catch {
            complain("a topic of other nodes could not be followed", error)
            return false
        }
    }

    private func complain(_ what: Logger.Message, _ error: BrokerError) {
        logger.warning(what, metadata: ["reason": "\(error.reason)", "detail": "\(error.detail)"])
    }

    // MARK: - From the broker

    func received(_ publications: [BrokerPublication]) {
        for publication in publications {
            hub?.existingTopic(publication.topic)?.received(publication)
        }
    }

    func received(_ command: BrokerCommand) {
        hub?.obey(command, on: id)
    }

    func linkChanged(to state: BrokerLink) {
        switch state {
        case .lost:
            logger.warning("other nodes cannot be heard")
        case .connected:
            logger.notice("other nodes can be heard again")
            for topic in hub?.topics ?? [] { topic.catchUp() }
            hub?.inboxesMayHaveChanged()
            let untold = link.withLock { link in
                defer { link.untold = [] }
                return link.untold
            }
            for user in untold { command(.inboxChanged(user: user.string)) }
        }
    }
}

/// Tries to follow a topic again, unless that has gone.
private final class FollowLater: TimerTarget {
    private let node: HubNode
    private weak let topic: Topic?

    init(_ node: HubNode, _ topic: Topic) {
        self.node = node
        self.topic = topic
    }

    func timerFired(_ id: TimerID, on loop: EventLoop) {
        if let topic { node.followAgain(topic) }
    }
}

extension HubServer {
    /// Does what some node wants done for all sessions that are meant.
    func obey(_ command: BrokerCommand, on node: NodeID?) {
        switch command {
        case .send(let message, let recipients, let origin):
            if origin == nil || origin != node { sendHere(message, to: recipients) }
        case .kick(let recipients, let code, let reason):
            kickHere(recipients, code: code, reason: reason)
        case .ban(let user, let until, let reason):
            banHere(user: user, until: until, reason: reason)
        case .unban(let user):
            directories.bans.unban(user)
        case .inboxChanged(let user):
            forEach(sessions(of: user)) { $0.shard.inboxChanged($0) }
        }
    }
}
