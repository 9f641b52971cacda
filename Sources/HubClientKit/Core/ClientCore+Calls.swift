import Hub

// What the client's owner asks for, and the subscriptions that come of it.
extension ClientCore {
    /// Asks something, now or when there is a connection.
    mutating func call(
        _ id: RequestID, _ envelope: ClientEnvelope, isRepeatable: Bool
    ) -> [Action] {
        guard phase != .stopped else { return [.finish(id, .failure(.stopped))] }
        guard calls.count < settings.callsMax else {
            return [.finish(id, .failure(.tooManyCalls))]
        }
        calls[id] = Call(envelope: envelope, isRepeatable: isRepeatable)
        return isReady ? ask(id) : []
    }

    /// Says what was asked. A topic that was known before goes on from there: those of a token by
    /// themselves, so that what asks for them waits until the token's are told.
    private mutating func ask(_ id: RequestID) -> [Action] {
        guard let call = calls[id] else { return [] }
        let envelope = subscriptions.placed(call.envelope)
        let waits = subscriptions.awaitsToken && envelope != call.envelope
        calls[id]?.isSent = !waits
        return waits ? [] : [.send(envelope)]
    }

    /// Says what was asked and is not said yet.
    mutating func askWaiting() -> [Action] {
        let waiting = calls.filter { !$0.value.isSent }.keys
        return waiting.sorted { $0.rawValue < $1.rawValue }.flatMap { ask($0) }
    }

    /// The calls that ask for a topic.
    private func asking(for topic: String, where isMeant: (Call) -> Bool) -> [RequestID] {
        calls.compactMap { id, call in
            guard case .subscribe(_, let name, _) = call.envelope, name.isSameBytes(as: topic)
            else { return nil }
            return isMeant(call) ? id : nil
        }
    }

    mutating func subscribe(
        _ id: RequestID, to topic: String, after position: TopicPosition?
    ) -> [Action] {
        let actions = call(
            id, .subscribe(id, topic: topic, after: position), isRepeatable: true)
        if calls[id] != nil { subscriptions.want(topic, after: position) }
        return actions
    }

    mutating func unsubscribe(_ id: RequestID, from topic: String) -> [Action] {
        subscriptions.leave(topic)
        // What the hub was asked, it answers.
        let asked = asking(for: topic) { !isReady || !$0.isSent }
        for other in asked { calls[other] = nil }
        let ended = asked.map { Action.finish($0, .failure(.disconnected)) }
        guard isReady else {
            return ended + [.finish(id, .success(.unsubscribed(id, topic: topic)))]
        }
        return ended + call(id, .unsubscribe(id, topic: topic), isRepeatable: false)
    }

    /// Nobody waits for the answer any more.
    mutating func timedOut(_ id: RequestID) -> [Action] {
        guard calls.removeValue(forKey: id) != nil else { return [] }
        return [.finish(id, .failure(.timedOut))]
    }

    /// Says something that is not answered; `nil` where there is no connection.
    func say(_ envelope: ClientEnvelope) -> [Action]? {
        isReady ? [.send(envelope)] : nil
    }

    /// Subscribes again to what the hub does not know of, unless it was asked.
    mutating func renew(_ topics: [Subscriptions.Missing]) -> [Action] {
        let called = calls.values.compactMap { call -> ExactName? in
            guard case .subscribe(_, let topic, _) = call.envelope else { return nil }
            return ExactName(topic)
        }
        let asked = Set(called).union(renewals.values.map { ExactName($0) })
        return topics.filter { !asked.contains(ExactName($0.topic)) }.map { missing in
            let id = makeID()
            renewals[id] = missing.topic
            return .send(.subscribe(id, topic: missing.topic, after: missing.position))
        }
    }

    /// What could not be subscribed to is asked for again.
    mutating func renewNow() -> [Action] {
        // A token that is on its way brings topics, and what is missing then is asked for.
        isReady && !subscriptions.awaitsToken ? renew(subscriptions.missing) : []
    }

    mutating func subscribed(_ answer: ServerEnvelope.Subscribed) -> [Action] {
        // What waits for the token's topics.
        let waiting = asking(for: answer.topic) { isReady && !$0.isSent }
        let isNamed = answer.request.map { calls[$0] != nil || renewals[$0] != nil } ?? false
        let isAsked = isNamed || !waiting.isEmpty
        if let id = answer.request { renewals[id] = nil }
        guard subscriptions.began(answer, isAsked: isAsked) else {
            // It was left while the hub, or the token, did not know.
            let id = makeID()
            return [.send(.unsubscribe(id, topic: answer.topic))]
        }
        var actions = [Action.tell(.subscribed(answer))]
        for id in (answer.request.map { [$0] } ?? []) + waiting
        where calls.removeValue(forKey: id) != nil {
            actions.append(.finish(id, .success(.subscribed(answer))))
        }
        return actions
    }

    mutating func unsubscribed(_ id: RequestID?, _ topic: String) -> [Action] {
        let wasKnown = subscriptions.ended(
            topic, isAnswer: id != nil, hasToken: token != nil)
        if let id, calls.removeValue(forKey: id) != nil {
            return [.finish(id, .success(.unsubscribed(id, topic: topic)))]
        }
        return wasKnown ? [.tell(.unsubscribed(topic: topic, nil))] : []
    }
}
