/// Connects the hubs of several nodes, so that a topic and a user are one whichever node one is on.
///
/// Rules that every implementation keeps, and that `BrokerSuite` of HubTesting checks:
///
/// - **Every follower gets every publication**, the publishing node like all others: a node delivers
///   a publication to its own sessions when it comes back, not before.
/// - **One order.** Publications to one topic reach all its followers in the same order; of one node,
///   in the order it published them. Nothing is said about the order between topics.
/// - **No loss in silence.** Where the link was lost, a node is told by
///   ``BrokerNode/linkChanged(to:)``; publications of that time may be missing. After it is back the
///   hub reads the gap of stored messages from the ``MessageStore`` by their positions.
/// - **Positions are carried.** A stored message was appended to the store before it is published and
///   bears its position. Two nodes may publish neighbouring positions in either order; the hub puts
///   them in order by offset.
/// - **Nodes are called in series**: no two calls to one node overlap, and none comes after
///   ``leave(_:)`` has returned. They must return soon and may come on any thread, not from within
///   a call of this node to the broker.
/// - Nothing here may block the calling thread; what has to wait suspends.
public protocol Broker: AnyObject, Sendable {
    /// Connects a node.
    ///
    /// - Returns: Its name among the nodes, never given twice.
    func join(_ node: any BrokerNode) async throws(BrokerError) -> NodeID

    /// Disconnects a node, which is not called any more when this returns. Unknown names are passed
    /// over.
    func leave(_ node: NodeID) async

    /// Begins to send the topics' publications to the node. What is published after this has
    /// returned arrives.
    func follow(_ topics: [String], from node: NodeID) async throws(BrokerError)

    /// Ends that. Publications under way may still arrive.
    func unfollow(_ topics: [String], from node: NodeID) async throws(BrokerError)

    /// Publishes to all followers of the topics, in the batch's order. The hub awaits one call before
    /// it begins the next.
    func publish(_ batch: [BrokerPublication], from node: NodeID) async throws(BrokerError)

    /// Gives a command to all nodes, that of the caller included.
    func command(_ command: BrokerCommand, from node: NodeID) async throws(BrokerError)
}

/// A node's side of a broker: what a broker calls.
public protocol BrokerNode: AnyObject, Sendable {
    /// Publications arrived, oldest first.
    func received(_ publications: [BrokerPublication])

    /// A command arrived.
    func received(_ command: BrokerCommand)

    /// The node's link to the others was lost or is back.
    func linkChanged(to state: BrokerLink)
}

/// Names a node.
public struct NodeID: Hashable, Sendable, CustomStringConvertible {
    public let rawValue: UInt64

    /// Creates the name of that number.
    public init(rawValue: UInt64) {
        self.rawValue = rawValue
    }

    public var description: String { String(rawValue, radix: 36) }
}

/// Whether a node hears of the others.
public enum BrokerLink: Hashable, Sendable {
    /// It does. Publications since ``lost`` may be missing.
    case connected
    /// It does not; the broker tries to reconnect by itself.
    case lost
}

/// A broker could not do what it was asked.
public struct BrokerError: Error, Hashable, Sendable {
    /// What went wrong.
    public enum Reason: Hashable, Sendable {
        /// The engine cannot be reached; trying again may help.
        case unavailable
        /// The node has not joined, or has left.
        case unknownNode
    }

    /// What went wrong.
    public let reason: Reason
    /// The engine's own words, for a log.
    public let detail: String

    /// Creates an error.
    public init(_ reason: Reason, detail: String = "") {
        self.reason = reason
        self.detail = detail
    }
}
