import NetPoll
import Synchronization

// Resume tokens: given to sessions as they change, and taken from those that come back.
extension HubShard {
    /// Bytes of a token that a topic takes besides its name.
    private static let topicBytes = 24
    /// Bytes of a token that a pattern takes besides itself.
    private static let patternBytes = 5

    /// The session's user or subscriptions have changed.
    func tokenIsStale(of session: Session) {
        guard let policy = configuration.resume, session.connection != nil, !session.hasEnded,
            configuration.protocols[Int(session.protocolIndex)].subprotocol != nil
        else { return }
        let tokens = session.tokens ?? SessionTokens(session: session, policy: policy)
        session.tokens = tokens
        tokens.changed()
    }

    /// Gives the session a token of what it is now, where it has any.
    func giveToken(to session: Session) {
        // One that comes back is told of all its topics first.
        guard let policy = configuration.resume, let tokens = session.tokens,
            session.returning.isEmpty
        else { return }
        let expiry = configuration.calendar() + policy.lifetime
        var state = ResumeState(
            user: session.user, device: session.device, topics: [], expiry: expiry,
            credentialsExpiry: session.credentialsExpiry,
            grants: session.identity?.topics ?? [])
        var bytes = state.grants.reduce(0) {
            $0 + $1.description.utf8.count + Self.patternBytes
        }
        // Topics that were granted go only with what granted them.
        let isWhole = bytes <= policy.namesBytesMax
        if !isWhole { (state.grants, bytes) = ([], 0) }
        for subscription in session.subscriptions {
            let part = self.part(at: subscription.slot)
            if !isWhole, session.isGranted(part.topic.name) { continue }
            // Who comes back without it asks for it, and is asked about it anew.
            if session.isQuestioned(part.topic) { continue }
            bytes += part.topic.name.utf8.count + Self.topicBytes
            guard bytes <= policy.namesBytesMax else { break }
            state.topics.append(
                KnownTopic(
                    topic: part.topic.name, position: part.position(of: Int(subscription.index))))
        }
        session.tell(.token(policy.tokens.token(for: state), expiry: expiry))
        tokens.given()
    }

    /// Lets the session go on as the one of a token.
    func resume(_ resume: ClientEnvelope.Resume, for session: Session) {
        guard let policy = configuration.resume, let hub = directories.hub else {
            session.fail(nil, .unsupported)
            return
        }
        let state: ResumeState
        do throws(ResumeTokenError) {
            state = try policy.tokens.state(of: resume.token, at: configuration.calendar())
        } catch {
            session.fail(nil, .badToken, error.description)
            return
        }
        guard become(state, session) else { return }
        welcome(session, isResumed: true)
        let known = Dictionary(
            resume.positions.map { (ExactName($0.topic), $0.position) },
            uniquingKeysWith: { first, _ in first })
        for mark in state.topics {
            // What it is not told of, the client asks for by itself: what its credentials have granted
            // and no longer do, and where there is no room for another topic now.
            let isRevoked =
                !session.isGranted(mark.topic) && state.grants.contains { $0.fits(mark.topic) }
            guard !isRevoked || session.topic(named: mark.topic) != nil,
                let topic = hub.topic(mark.topic)
            else { continue }
            let position = known[ExactName(mark.topic)] ?? mark.position
            session.stopReturning(to: topic)
            session.returning.append(ReturningTopic(topic: topic, position: position))
        }
        // Asked before anything else happens: topics may have to be read first, and the client may say
        // something meanwhile.
        session.handler.resumed(session)
        goOn(session)
    }

    /// Makes the session one of the token's user, or tells why that cannot be.
    private func become(_ state: ResumeState, _ session: Session) -> Bool {
        guard let user = state.user else { return true }
        if let known = session.user {
            if known.isSameBytes(as: user) { return true }
            session.fail(nil, .badToken, "a resume token of another user")
            return false
        }
        guard session.subscriptions.isEmpty else {
            session.fail(nil, .badToken, "a resume token has to come before subscriptions")
            return false
        }
        if let expiry = state.credentialsExpiry, expiry <= configuration.calendar() {
            session.fail(nil, .badToken, "the credentials have expired")
            return false
        }
        do throws(IdentifyError) {
            try session.identify(as: user, device: state.device)
            if state.credentialsExpiry != nil || !state.grants.isEmpty {
                session.identity = Identity(
                    user: user, device: state.device, topics: state.grants,
                    expiry: state.credentialsExpiry)
                session.watchCredentials()
            }
            return true
        } catch {
            switch error {
            case .banned: session.fail(nil, .forbidden, "banned")
            case .tooManySessions: session.fail(nil, .limitReached, "too many sessions")
            case .hasSubscriptions, .sessionEnded: break
            }
            return false
        }
    }

    /// Follows the topics of the token that the handler has left in, each as soon as it is read; the client
    /// is told of each, and then given a token.
    private func goOn(_ session: Session) {
        let id = session.id
        // A client that says so again and again waits once.
        let topics = session.returning.map(\.topic).filter {
            session.madeExtras.awaitedTopics.insert(ObjectIdentifier($0)).inserted
        }
        guard !topics.isEmpty else { return hasAll(session) }
        let left = TopicCount(topics.count)
        for topic in topics {
            topic.whenLoaded(on: loop, during: session.life) { [self] in
                let isLast = left.isLast()
                guard let session = sessions[id] else { return }
                session.extras?.awaitedTopics.remove(ObjectIdentifier(topic))
                // It may have been left meanwhile, or asked for at another position.
                if let place = session.stopReturning(to: topic) {
                    do throws(SubscribeError) {
                        try follow(session, topic, after: place.position, request: nil)
                    } catch {
                        session.tell(.unsubscribed(nil, topic: topic.name))
                    }
                }
                if isLast { hasAll(session) }
            }
        }
    }

    /// The session has all its topics again.
    private func hasAll(_ session: Session) {
        tokenIsStale(of: session)
        giveToken(to: session)
    }
}

/// A topic of a resume token that is not read yet.
struct ReturningTopic {
    let topic: Topic
    /// Up to where the client knows it.
    let position: TopicPosition
}

extension Session {
    /// The topics of its resume token that it is not subscribed to yet.
    var returning: [ReturningTopic] {
        get { extras?.returning ?? [] }
        set { if !newValue.isEmpty || extras != nil { madeExtras.returning = newValue } }
    }

    /// Takes a topic out of them.
    ///
    /// - Returns: `nil` where it was not among them.
    @discardableResult
    func stopReturning(to topic: Topic) -> ReturningTopic? {
        guard let index = extras?.returning.firstIndex(where: { $0.topic === topic }) else {
            return nil
        }
        return extras?.returning.remove(at: index)
    }
}

/// Topics that a session which comes back is not subscribed to yet.
private final class TopicCount: Sendable {
    private let left: Atomic<Int>

    init(_ count: Int) {
        left = Atomic(count)
    }

    func isLast() -> Bool {
        left.subtract(1, ordering: .relaxed).newValue == 0
    }
}
