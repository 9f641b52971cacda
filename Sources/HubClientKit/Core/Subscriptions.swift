import Hub

/// What a client subscribes to, and how far it knows each topic.
struct Subscriptions {
    /// A topic that the hub has to be asked for.
    struct Missing: Hashable {
        let topic: String
        let position: TopicPosition?
    }

    /// What becomes of a topic that the hub refused or ended.
    enum Outcome: Hashable {
        /// It goes on, or only who asked has to know.
        case nothing
        /// It is asked for later, unless it is already.
        case renew
        /// It was followed, and is no longer.
        case ended
    }

    private struct Followed {
        var position: TopicPosition?
        /// The client asked for it; otherwise the hub decided so.
        var isWanted: Bool
        /// The hub has told of it on this connection.
        var isTold = false
        /// From where the client asked for it and was not answered: what still comes is of before.
        var sought: TopicPosition?

        /// From where it is asked for.
        var place: TopicPosition? { sought ?? position }
    }

    private var followed: [ExactName: Followed] = [:]
    /// Topics that were left, and whether the hub has said so: a token that came before may still
    /// bring them back.
    private var left: [ExactName: Bool] = [:]
    private(set) var awaitsToken = false

    /// How far each topic is known.
    var positions: [KnownTopic] {
        followed.compactMap { name, topic in
            topic.place.map { KnownTopic(topic: name.string, position: $0) }
        }
    }

    var topics: [String] { followed.keys.map(\.string) }

    mutating func want(_ topic: String, after position: TopicPosition?) {
        let name = ExactName(topic)
        left[name] = nil
        var topic = followed[name] ?? Followed(isWanted: true)
        topic.isWanted = true
        if let position { topic.sought = position }
        followed[name] = topic
    }

    mutating func leave(_ topic: String) {
        followed[ExactName(topic)] = nil
        left[ExactName(topic)] = false
    }

    /// What was asked for cannot be had: the end of what was not there, and not of what is.
    ///
    /// - Parameters:
    ///   - topic: Which.
    ///   - sought: From where it is asked for still.
    ///   - isRenewal: Whether nobody waits for it.
    ///   - isPassing: Whether it may be had soon.
    /// - Returns: What becomes of it.
    mutating func refused(
        _ topic: String, stillSought sought: TopicPosition?, isRenewal: Bool, isPassing: Bool
    ) -> Outcome {
        let name = ExactName(topic)
        guard let known = followed[name] else { return .nothing }
        followed[name]?.sought = sought
        guard !known.isTold else { return .nothing }
        let wasFollowed = isRenewal || known.position != nil
        if wasFollowed, isPassing { return .renew }
        followed[name] = nil
        return wasFollowed ? .ended : .nothing
    }

    /// The hub has ended one.
    ///
    /// - Parameters:
    ///   - topic: Which.
    ///   - isAnswer: Whether the client had left it; it may have asked for it again since.
    ///   - hasToken: Whether there is a token, which may still bring it back.
    /// - Returns: What becomes of it.
    mutating func ended(_ topic: String, isAnswer: Bool, hasToken: Bool) -> Outcome {
        let name = ExactName(topic)
        if left[name] != nil { left[name] = hasToken ? true : nil }
        if isAnswer, followed[name]?.isWanted ?? false {
            followed[name]?.isTold = false
            return .renew
        }
        return followed.removeValue(forKey: name) == nil ? .nothing : .ended
    }

    /// A session begins, anew or as the one of a token.
    ///
    /// - Returns: What to subscribe to at once.
    mutating func began(isResumed: Bool) -> [Missing] {
        for name in followed.keys { followed[name]?.isTold = false }
        awaitsToken = isResumed
        guard !isResumed else { return [] }
        left = [:]
        // What the hub decided it decides anew.
        followed = followed.filter { $0.value.isWanted }
        return missing
    }

    /// A subscription that was asked for without a position, from where the topic was known before
    /// the hub has told of it on this connection.
    func placed(_ envelope: ClientEnvelope) -> ClientEnvelope {
        guard case .subscribe(let id, let topic, nil) = envelope,
            let known = followed[ExactName(topic)], !known.isTold
        else { return envelope }
        return .subscribe(id, topic: topic, after: known.place)
    }

    /// What the hub does not know of.
    var missing: [Missing] {
        followed.filter { $0.value.isWanted && !$0.value.isTold }
            .map { Missing(topic: $0.key.string, position: $0.value.place) }
            .sorted { ExactName($0.topic) < ExactName($1.topic) }
    }

    /// A token came: before the first of a session that goes on, the hub has told of all its topics
    /// that it has room for.
    ///
    /// - Returns: What else there was, also what the hub had decided itself.
    mutating func tokenCame() -> [Missing] {
        left = left.filter { !$0.value }
        guard awaitsToken else { return [] }
        awaitsToken = false
        for (name, topic) in followed where !topic.isTold { followed[name]?.isWanted = true }
        return missing
    }

    /// A subscription began.
    ///
    /// - Parameters:
    ///   - answer: What the hub told of it.
    ///   - isAsked: Whether the client asked for it.
    ///   - isUnplaced: Whether it did so without a position of its own.
    /// - Returns: `false` for one that was left.
    mutating func began(
        _ answer: ServerEnvelope.Subscribed, isAsked: Bool, isUnplaced: Bool
    ) -> Bool {
        let name = ExactName(answer.topic)
        guard left[name] == nil else { return false }
        let known = followed[name]
        var topic = Followed(
            position: answer.position, isWanted: isAsked || known?.isWanted ?? false, isTold: true)
        // What was asked without a position is not the answer to what was asked with one.
        if isUnplaced, known?.sought != answer.position { topic.sought = known?.sought }
        // Asked for twice: what came since comes once more.
        if answer.isRecovered, known?.sought == nil || topic.sought != nil,
            let last = known?.position, last.epoch == answer.position.epoch,
            last.offset > answer.position.offset
        {
            topic.position = last
        }
        followed[name] = topic
        return true
    }

    /// Whether a publication is news.
    mutating func takes(_ topic: String, _ position: TopicPosition?) -> Bool {
        let name = ExactName(topic)
        guard let known = followed[name] else { return false }
        guard let position else { return true }
        if let last = known.position, last.epoch == position.epoch,
            position.offset <= last.offset
        {
            return false
        }
        followed[name]?.position = position
        return true
    }
}
