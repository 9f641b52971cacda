import Hub

/// What a client subscribes to, and how far it knows each topic.
struct Subscriptions {
    /// A topic that the hub has to be asked for.
    struct Missing: Hashable {
        let topic: String
        let position: TopicPosition?
    }

    private struct Followed {
        var position: TopicPosition?
        /// The client asked for it; otherwise the hub decided so.
        var isWanted: Bool
        /// The hub has told of it on this connection.
        var isTold = false
        /// The client asked for it from a position and was not answered: what still comes is of before.
        var isSought = false
    }

    private var followed: [ExactName: Followed] = [:]
    /// Topics that were left, and whether the hub has said so: a token that came before may still
    /// bring them back.
    private var left: [ExactName: Bool] = [:]
    private(set) var awaitsToken = false

    /// How far each topic is known.
    var positions: [KnownTopic] {
        followed.compactMap { name, topic in
            topic.position.map { KnownTopic(topic: name.string, position: $0) }
        }
    }

    var topics: [String] { followed.keys.map(\.string) }

    mutating func want(_ topic: String, after position: TopicPosition?) {
        let name = ExactName(topic)
        left[name] = nil
        var topic = followed[name] ?? Followed(isWanted: true)
        topic.isWanted = true
        if let position { (topic.position, topic.isSought) = (position, true) }
        followed[name] = topic
    }

    mutating func leave(_ topic: String) {
        followed[ExactName(topic)] = nil
        left[ExactName(topic)] = false
    }

    mutating func end(_ topic: String) {
        followed[ExactName(topic)] = nil
    }

    /// The hub has ended one.
    ///
    /// - Parameters:
    ///   - topic: Which.
    ///   - isAnswer: Whether the client had left it; it may have asked for it again since.
    ///   - hasToken: Whether there is a token, which may still bring it back.
    /// - Returns: Whether it was one.
    mutating func ended(_ topic: String, isAnswer: Bool, hasToken: Bool) -> Bool {
        let name = ExactName(topic)
        if left[name] != nil { left[name] = hasToken ? true : nil }
        if isAnswer, followed[name]?.isWanted ?? false { return false }
        return followed.removeValue(forKey: name) != nil
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
        return .subscribe(id, topic: topic, after: known.position)
    }

    /// What the hub does not know of.
    var missing: [Missing] {
        followed.filter { $0.value.isWanted && !$0.value.isTold }
            .map { Missing(topic: $0.key.string, position: $0.value.position) }
            .sorted { ExactName($0.topic) < ExactName($1.topic) }
    }

    /// A token came: before the first of a session that goes on, the hub has told of all its topics.
    ///
    /// - Returns: What the last token did not hold.
    mutating func tokenCame() -> [Missing] {
        left = left.filter { !$0.value }
        guard awaitsToken else { return [] }
        awaitsToken = false
        followed = followed.filter { $0.value.isWanted || $0.value.isTold }
        return missing
    }

    /// A subscription began, which the client asked for or not; `false` for one that was left.
    mutating func began(_ answer: ServerEnvelope.Subscribed, isAsked: Bool) -> Bool {
        let name = ExactName(answer.topic)
        guard left[name] == nil else { return false }
        let isWanted = isAsked || followed[name]?.isWanted ?? false
        var position = answer.position
        // Asked for twice: what came since comes once more.
        if answer.isRecovered, let known = followed[name]?.position,
            known.epoch == position.epoch, known.offset > position.offset
        {
            position = known
        }
        followed[name] = Followed(position: position, isWanted: isWanted, isTold: true)
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
        if !known.isSought { followed[name]?.position = position }
        return true
    }
}
