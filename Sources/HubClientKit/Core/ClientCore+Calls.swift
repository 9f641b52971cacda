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
        var actions = asked.map { Action.finish($0, .failure(.disconnected)) }
        guard isReady else {
            return actions + [.finish(id, .success(.unsubscribed(id, topic: topic)))]
        }
        // The hub hears of it also where nobody can wait for its answer.
        if calls.count >= settings.callsMax {
            actions.append(.send(.unsubscribe(id, topic: topic)))
        }
        return actions + call(id, .unsubscribe(id, topic: topic), isRepeatable: false)
    }

    /// Nobody waits for the answer any more, but for the client itself where it asked for a topic.
    mutating func timedOut(_ id: RequestID) -> [Action] {
        guard let call = calls.removeValue(forKey: id) else { return [] }
        if isReady, call.isSent, case .subscribe(_, let topic, _) = call.envelope,
            !renewals.values.contains(where: { $0.isSameBytes(as: topic) })
        {
            renewals[id] = topic
        }
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
        let call = answer.request.flatMap { calls[$0] }
        let isRenewal = answer.request.flatMap { renewals.removeValue(forKey: $0) } != nil
        if isRenewal { renewalBackoff.succeeded() }
        var isUnplaced = false
        if case .subscribe(_, _, nil)? = call?.envelope { isUnplaced = true }
        var actions: [Action] = []
        if subscriptions.began(
            answer, isAsked: call != nil || isRenewal || !waiting.isEmpty, isUnplaced: isUnplaced)
        {
            actions = [.tell(.subscribed(answer))]
        } else if !isLeaving(answer.topic) {
            // It was left while the hub, or the token, did not know.
            actions = [.send(.unsubscribe(makeID(), topic: answer.topic))]
        }
        for id in (answer.request.map { [$0] } ?? []) + waiting
        where calls.removeValue(forKey: id) != nil {
            actions.append(.finish(id, .success(.subscribed(answer))))
        }
        return actions
    }

    /// Whether the hub was asked to end a subscription, and has not answered.
    private func isLeaving(_ topic: String) -> Bool {
        calls.values.contains { call in
            guard case .unsubscribe(_, let name) = call.envelope else { return false }
            return name.isSameBytes(as: topic)
        }
    }

    /// The hub does not let a topic be subscribed to.
    mutating func refused(
        _ topic: String, _ failure: ServerEnvelope.Failure, isRenewal: Bool
    ) -> [Action] {
        let sought = asking(for: topic) { _ in true }.max { $0.rawValue < $1.rawValue }
            .flatMap { id -> TopicPosition? in
                guard case .subscribe(_, _, let place)? = calls[id]?.envelope else { return nil }
                return place
            }
        let outcome = subscriptions.refused(
            topic, stillSought: sought, isRenewal: isRenewal,
            isPassing: Self.passing.contains(failure.code))
        switch outcome {
        case .nothing: return []
        case .ended: return [.tell(.unsubscribed(topic: topic, failure))]
        case .renew: return [renewal(after: failure.retryAfter ?? .zero)]
        }
    }

    private func renewal(after delay: Duration) -> Action {
        .renewLater(after: delay, within: renewalBackoff.bound)
    }

    mutating func unsubscribed(_ id: RequestID?, _ topic: String) -> [Action] {
        let outcome = subscriptions.ended(
            topic, isAnswer: id != nil, hasToken: token != nil)
        var actions: [Action] = []
        // What asked for it again may have been refused before this was answered.
        if outcome == .renew, asking(for: topic, where: { _ in true }).isEmpty,
            !renewals.values.contains(where: { $0.isSameBytes(as: topic) })
        {
            actions.append(renewal(after: .zero))
        }
        if let id, calls.removeValue(forKey: id) != nil {
            actions.append(.finish(id, .success(.unsubscribed(id, topic: topic))))
        } else if outcome == .ended {
            actions.append(.tell(.unsubscribed(topic: topic, nil)))
        }
        return actions
    }
}
