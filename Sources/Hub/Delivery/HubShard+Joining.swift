import NetPoll

// How subscriptions begin and end.
extension HubShard {
    func subscribe(
        _ session: Session, to topic: Topic, after position: TopicPosition?, usersMax: Int
    ) throws(SubscribeError) -> TopicSnapshot {
        let join = try join(session, topic) { isFirst in
            let join = topic.attach(
                loop: loop.index, isFirst: isFirst, after: position, usersMax: usersMax)
            return (join, Cursor(.waiting(join.liveFrom)), join.liveFrom, join.position)
        }
        return join.snapshot(for: session.protocolIndex, of: configuration.protocols)
    }

    /// Subscribes, and lets the cursor bring what comes after `position`.
    func follow(
        _ session: Session, _ topic: Topic, after position: TopicPosition?, request: RequestID?
    ) throws(SubscribeError) {
        let place = try join(session, topic) { isFirst in
            let place = topic.attach(loop: loop.index, isFirst: isFirst, following: position)
            return (place, place.cursor, place.liveEnd, place.end)
        }
        session.tell(
            .subscribed(
                .init(
                    request: request, topic: topic.name, position: place.position,
                    isRecovered: place.isRecovered, count: place.count)))
        resumeLater(session)
    }

    /// Makes the session a subscriber with the cursor that `attach` gives; one that is a subscriber
    /// already only gets that cursor.
    private func join<Place>(
        _ session: Session, _ topic: Topic,
        attach: (_ isFirst: Bool) -> (
            place: Place, cursor: Cursor, liveEnd: UInt64, end: TopicPosition
        )
    ) throws(SubscribeError) -> Place {
        guard session.connection != nil, !session.hasEnded else { throw .sessionEnded }
        guard topic.isLoaded else { throw .loading }
        if let known = session.position(of: topic) {
            session.stopReturning(to: topic)
            let subscription = session.subscriptions[known]
            let (place, cursor, _, end) = attach(false)
            let part = self.part(at: subscription.slot)
            part.enter(end.epoch)
            // What is under way to the others and known to this one is skipped for it.
            part.move(Int(subscription.index), to: cursor)
            return place
        }
        guard session.subscriptions.count < configuration.subscriptionsPerSessionMax else {
            throw .tooManySubscriptions
        }
        guard topic.admitSubscriber() else { throw .topicFull }
        session.stopReturning(to: topic)
        if let user = session.user, topic.userJoined(user) { publishPresenceLater(topic) }
        let known = slot(of: topic)
        let (place, cursor, liveEnd, end) = attach(known == nil)
        let part =
            known.map { self.part(at: $0) } ?? makePart(of: topic, end: liveEnd, at: end)
        part.enter(end.epoch)
        let index = part.append(session, from: cursor, position: session.subscriptions.count)
        session.subscriptions.append(
            Session.Subscription(slot: part.slot, index: UInt32(index)))
        tokenIsStale(of: session)
        return place
    }

    func unsubscribe(_ session: Session, at position: Int) {
        let subscription = session.subscriptions[position]
        let part = self.part(at: subscription.slot)
        part.remove(at: Int(subscription.index))
        part.tidy()
        let last = session.subscriptions.removeLast()
        if position < session.subscriptions.count {
            session.subscriptions[position] = last
            self.part(at: last.slot).moved(at: Int(last.index), to: position)
        }
        let topic = part.topic
        let isLast = part.subscribers.isEmpty
        if isLast {
            report(part)
            remove(part)
        }
        topic.removeSubscriber(loop: loop.index, isLast: isLast)
        if let user = session.user, topic.userLeft(user) { publishPresenceLater(topic) }
    }

    /// Calls `body` with each of the loop's subscribers of a topic; where none is given, with each
    /// session.
    func forEachSession(of topic: Topic?, _ body: (Session) -> Void) {
        guard let topic else { return sessions.forEach(body) }
        guard let slot = slot(of: topic) else { return }
        // Copied: what is done to a subscriber may end its subscription.
        let subscribers = part(at: slot).subscribers.map { $0.session.takeUnretainedValue() }
        for subscriber in subscribers { body(subscriber) }
    }
}
