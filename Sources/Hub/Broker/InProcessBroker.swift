import Synchronization

/// Connects hubs of one process; with a single hub none is needed.
///
/// Calls are delivered at once, on the threads of those who publish: the first that finds something
/// to deliver delivers for all, in the one order in which the calls came.
public final class InProcessBroker: Broker {
    private enum Delivery {
        case publications([BrokerPublication])
        case command(BrokerCommand)
    }

    private struct Seat {
        let node: any BrokerNode
        var topics: Set<ExactName> = []
    }

    private struct State {
        var seats: [NodeID: Seat] = [:]
        var lastNode: UInt64 = 0
        /// What is to be delivered, with the nodes that it is for.
        var queue = Ring<(nodes: [NodeID], delivery: Delivery)>()
        var isDelivering = false
        /// Nodes that leave, and whoever waits for the delivery under way to end.
        var leaving: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Mutex(State())

    /// Creates a broker without nodes.
    public init() {}

    public func join(_ node: any BrokerNode) async throws(BrokerError) -> NodeID {
        state.withLock { state in
            state.lastNode += 1
            let id = NodeID(rawValue: state.lastNode)
            state.seats[id] = Seat(node: node)
            return id
        }
    }

    public func leave(_ node: NodeID) async {
        await withCheckedContinuation { continuation in
            let isDone = state.withLock { state in
                state.seats[node] = nil
                guard state.isDelivering else { return true }
                state.leaving.append(continuation)
                return false
            }
            if isDone { continuation.resume() }
        }
    }

    public func follow(_ topics: [String], from node: NodeID) async throws(BrokerError) {
        try withSeat(node) { $0.topics.formUnion(topics.map(ExactName.init)) }
    }

    public func unfollow(_ topics: [String], from node: NodeID) async throws(BrokerError) {
        try withSeat(node) { $0.topics.subtract(topics.map(ExactName.init)) }
    }

    public func publish(
        _ batch: [BrokerPublication], from node: NodeID
    ) async throws(BrokerError) {
        try enqueue(from: node) { state in
            for publication in batch {
                let name = ExactName(publication.topic)
                let followers = state.seats.filter { $0.value.topics.contains(name) }.keys
                state.queue.append((Array(followers), .publications([publication])))
            }
        }
        deliver()
    }

    public func command(_ command: BrokerCommand, from node: NodeID) async throws(BrokerError) {
        try enqueue(from: node) { $0.queue.append((Array($0.seats.keys), .command(command))) }
        deliver()
    }

    private func withSeat(
        _ node: NodeID, _ body: (inout Seat) -> Void
    ) throws(BrokerError) {
        let isKnown = state.withLock { state in
            guard var seat = state.seats[node] else { return false }
            body(&seat)
            state.seats[node] = seat
            return true
        }
        if !isKnown { throw BrokerError(.unknownNode) }
    }

    private func enqueue(
        from node: NodeID, _ body: (inout State) -> Void
    ) throws(BrokerError) {
        let isKnown = state.withLock { state in
            guard state.seats[node] != nil else { return false }
            body(&state)
            return true
        }
        if !isKnown { throw BrokerError(.unknownNode) }
    }

    /// Delivers what is queued, unless somebody does so already.
    private func deliver() {
        let isMine = state.withLock { state in
            guard !state.isDelivering else { return false }
            state.isDelivering = true
            return true
        }
        guard isMine else { return }
        while let (nodes, delivery) = next() {
            for node in nodes {
                switch delivery {
                case .publications(let publications): node.received(publications)
                case .command(let command): node.received(command)
                }
            }
        }
    }

    /// Takes the first of the queue; the end of the queue ends the delivery.
    private func next() -> (nodes: [any BrokerNode], delivery: Delivery)? {
        let (next, left) = state.withLock {
            state -> (
                (nodes: [any BrokerNode], delivery: Delivery)?, [CheckedContinuation<Void, Never>]
            )
            in
            let left = state.leaving
            state.leaving = []
            guard let (names, delivery) = state.queue.popFirst() else {
                state.isDelivering = false
                return (nil, left)
            }
            return ((names.compactMap { state.seats[$0]?.node }, delivery), left)
        }
        for continuation in left { continuation.resume() }
        return next
    }
}
