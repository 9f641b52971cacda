import WSTransport

/// The subscribers of one topic on one loop: what fan-out walks through.
///
/// Loop-owned. Each element knows where the session keeps the subscription, and the subscription
/// where its element is, so that either is removed in O(1).
final class SubscriberList {
    struct Subscriber {
        /// Kept alive by the loop's ``SessionTable``, which it leaves only after its subscriptions.
        let session: Unmanaged<Session>
        /// The session's, which holds it as long as it has subscriptions.
        let connection: Unmanaged<WebSocketConnection>
        /// The place in the topic's live sequence of the first message that it has not got by its
        /// snapshot.
        var liveFrom: UInt64
        /// The index in ``Session/subscriptions``.
        var position: Int
    }

    let topic: Topic
    private(set) var subscribers: ContiguousArray<Subscriber> = []
    /// The latest of all ``Subscriber/liveFrom``: from there on nobody skips anything.
    private(set) var allLiveFrom: UInt64 = 0

    init(topic: Topic) {
        self.topic = topic
    }

    /// Adds a subscriber and returns its index.
    func append(
        _ session: Session, _ connection: WebSocketConnection, liveFrom: UInt64, position: Int
    ) -> Int {
        allLiveFrom = max(allLiveFrom, liveFrom)
        subscribers.append(
            Subscriber(
                session: .passUnretained(session), connection: .passUnretained(connection),
                liveFrom: liveFrom,
                position: position))
        return subscribers.count - 1
    }

    /// Removes the subscriber at `index`; the last one takes its place.
    func remove(at index: Int) {
        let last = subscribers.removeLast()
        guard index < subscribers.count else { return }
        subscribers[index] = last
        let session = last.session.takeUnretainedValue()
        session.subscriptions[last.position].index = index
    }

    /// Notes that the subscriber got another snapshot.
    func caughtUp(at index: Int, liveFrom: UInt64) {
        allLiveFrom = max(allLiveFrom, liveFrom)
        subscribers[index].liveFrom = liveFrom
    }

    /// Notes that the session moved its subscription.
    func moved(at index: Int, to position: Int) {
        subscribers[index].position = position
    }
}
