import NetPoll
import Synchronization

/// A message as a server's listener hears it.
public struct HeardMessage: Sendable {
    /// The topic's name.
    public let topic: String
    /// What was published; one that was encoded before is told as its bytes.
    public let message: HubMessage
    /// Where it stands; `nil` for one that is not stored.
    public let position: TopicPosition?
}

/// Names a listener; never given twice by a hub.
public struct ListenerID: Hashable, Sendable {
    fileprivate let rawValue: UInt64
}

/// Hears the topics that a pattern means.
final class TopicListener: Sendable {
    let id: ListenerID
    let pattern: TopicPattern
    let body: @Sendable (HeardMessage) -> Void

    init(
        id: ListenerID, pattern: TopicPattern, body: @escaping @Sendable (HeardMessage) -> Void
    ) {
        self.id = id
        self.pattern = pattern
        self.body = body
    }
}

/// A hub's listeners. Its lock is taken under those of registry and topics.
final class ListenerList: Sendable {
    private struct State {
        var listeners: [TopicListener] = []
        var last: UInt64 = 0
    }

    private let state = Mutex(State())

    func add(
        _ pattern: TopicPattern, _ body: @escaping @Sendable (HeardMessage) -> Void
    ) -> ListenerID {
        state.withLock { state in
            state.last += 1
            let id = ListenerID(rawValue: state.last)
            state.listeners.append(TopicListener(id: id, pattern: pattern, body: body))
            return id
        }
    }

    /// Whether there was one of that name.
    func remove(_ id: ListenerID) -> Bool {
        state.withLock { state in
            let count = state.listeners.count
            state.listeners.removeAll { $0.id == id }
            return state.listeners.count < count
        }
    }

    /// Those that hear a topic, in the order they came.
    func listeners(of topic: String) -> [TopicListener] {
        state.withLock { state in state.listeners.filter { $0.pattern.fits(topic) } }
    }
}

extension HubServer {
    /// Hears every message of the topics that a pattern means, those that are made later among them.
    ///
    /// Messages of a topic come in its order, on one loop of its own; `body` must not block. What is
    /// published faster than it is heard is refused in the end, as by
    /// ``HubConfiguration/TopicLimits/undeliveredMessagesMax``.
    ///
    /// - Parameters:
    ///   - pattern: Which topics are meant, for example `rooms/*`.
    ///   - body: Called with each message.
    /// - Returns: What ``removeListener(_:)`` wants.
    @discardableResult
    public func onPublication(
        to pattern: TopicPattern, _ body: @escaping @Sendable (HeardMessage) -> Void
    ) -> ListenerID {
        let id = directories.listeners.add(pattern, body)
        for topic in topics { topic.updateListeners() }
        return id
    }

    /// Ends that; what was published before may still be heard.
    public func removeListener(_ id: ListenerID) {
        guard directories.listeners.remove(id) else { return }
        for topic in topics { topic.updateListeners() }
    }
}

extension Topic {
    /// Learns who listens now.
    func updateListeners() {
        // A topic of tests may be without loops.
        guard let list = shards.first?.directories.listeners else { return }
        state.withLock { $0.listeners = list.listeners(of: name) }
    }

    /// The loop on which listeners hear the topic.
    private var listenersLoop: EventLoop {
        var hash: UInt64 = 14_695_981_039_346_656_037
        for byte in name.utf8 { hash = (hash ^ UInt64(byte)) &* 1_099_511_628_211 }
        return shards[Int(hash % UInt64(shards.count))].loop
    }

    /// Lets the listeners hear what waits for them.
    func letHear() {
        let loop = listenersLoop
        loop.execute { self.hear(on: loop) }
    }

    private func hear(on loop: EventLoop) {
        let (heard, listeners) = state.withLock { state in
            defer { state.heard = [] }
            if state.heard.isEmpty { state.isHearing = false }
            return (state.heard, state.listeners)
        }
        guard !heard.isEmpty else { return }
        for entry in heard {
            let message = HeardMessage(
                topic: name, message: entry.stored.message,
                position: entry.isStored ? entry.position : nil)
            for listener in listeners { listener.body(message) }
        }
        // What came meanwhile is heard in the next turn.
        loop.execute { self.hear(on: loop) }
    }
}

extension Topic.State {
    /// Notes a message for those who listen.
    ///
    /// - Returns: Whether ``Topic/letHear()`` has to follow.
    mutating func note(_ entry: TopicEntry) -> Bool {
        guard !listeners.isEmpty else { return false }
        if case .notice = entry.content { return false }
        heard.append(entry)
        guard !isHearing else { return false }
        isHearing = true
        return true
    }
}
