import NetPoll

// Who the client is found to be, for how long, and what that allows.
extension Session {
    /// Who ``HubConfiguration/authenticator`` says the client is; `nil` where it says nothing.
    public internal(set) var identity: Identity? {
        get { extras?.identity }
        set { if newValue != nil || extras != nil { madeExtras.identity = newValue } }
    }

    /// When the client's credentials expire; `nil` for never.
    public var credentialsExpiry: Timestamp? { identity?.expiry }

    /// Lets the client's credentials last until then, or for ever, as the application found out.
    ///
    /// Clients whose protocol has a word for it renew by themselves.
    public func extendCredentials(until expiry: Timestamp?) {
        guard identity != nil, !hasEnded else { return }
        identity?.expiry = expiry
        watchCredentials()
    }

    /// Ends the session, and tells the client why and when to come again.
    public func close(_ refusal: AdmissionRefusal) {
        close(refusal.closeCode, reason: refusal.closeReason)
    }

    /// Whether its credentials let it hear the topic of that name.
    func isGranted(_ topic: String) -> Bool {
        identity?.grants(.subscribe(topic: topic)) ?? false
    }

    /// Makes the client who it was found to be; `nil` where it may go on.
    func takeIdentity() -> AdmissionRefusal? {
        guard let identity else { return nil }
        do throws(IdentifyError) {
            try identify(
                as: identity.user, device: identity.device, attributes: identity.attributes)
        } catch {
            return AdmissionRefusal(error, on: loop)
        }
        watchCredentials()
        return nil
    }

    /// Begins, moves or ends the watch over the credentials' time.
    func watchCredentials() {
        // A resume token says when they expire.
        shard.tokenIsStale(of: self)
        extras?.credentialWatch?.stop()
        extras?.credentialWatch = nil
        guard let expiry = identity?.expiry else { return }
        let watch = CredentialWatch(of: self, expiry: expiry)
        madeExtras.credentialWatch = watch
        watch.schedule()
    }

    /// Counts a message of so many bytes; a client that goes on although it is too fast is closed.
    func meter(bytes: Int) -> TokenBucket.Outcome {
        guard let rate = shard.configuration.sessionRate else { return .allowed }
        var meter = extras?.meter ?? SessionMeter(rate)
        let outcome = meter.take(bytes: bytes, at: loop.now)
        madeExtras.meter = meter
        if outcome == .exhausted {
            close(
                AdmissionRefusal(
                    .tooMany, "too fast", retryAfter: RetryHint.jittered(.seconds(1), on: loop)))
        }
        return outcome
    }
}

extension AdmissionRefusal {
    init(_ error: IdentifyError, on loop: EventLoop) {
        switch error {
        case .banned: self.init(.forbidden, "banned")
        case .tooManySessions:
            self.init(
                .tooMany, "too many sessions of this user",
                retryAfter: RetryHint.jittered(.seconds(5), on: loop))
        case .hasSubscriptions, .sessionEnded: self.init(.overloaded)
        }
    }
}

/// Ends a session when its credentials have expired, and says so to the application before.
final class CredentialWatch: TimerTarget {
    /// The calendar may be set while a timer runs: it is looked at again at least so often.
    private static let step = Duration.seconds(3_600)

    private unowned let session: Session
    private let expiry: Timestamp
    private var isTold = false
    private var timer = TimerID.none

    init(of session: Session, expiry: Timestamp) {
        self.session = session
        self.expiry = expiry
    }

    func schedule() {
        let configuration = session.shard.configuration
        let left = expiry - configuration.calendar()
        let delay = isTold ? left : left - configuration.credentialsNotice
        timer = session.loop.schedule(
            after: min(max(delay, .milliseconds(1)), Self.step), self)
    }

    func stop() {
        if timer != .none { session.loop.cancel(timer) }
        timer = .none
    }

    func timerFired(_ id: TimerID, on loop: EventLoop) {
        timer = .none
        let shard = session.shard
        let left = expiry - shard.configuration.calendar()
        guard left > .zero else {
            return session.close(
                AdmissionRefusal(.credentialsExpired, "the credentials have expired"))
        }
        guard !isTold, left <= shard.configuration.credentialsNotice else { return schedule() }
        isTold = true
        schedule()
        // It may extend them, which ends this watch.
        shard.application.credentialsExpire(of: session)
    }
}

extension HubShard {
    /// A client renews its credentials.
    func renew(_ token: String, _ id: RequestID, of session: Session) {
        guard let authenticator = configuration.authenticator,
            let address = session.remoteAddress
        else { return session.fail(id, .unsupported) }
        let credentials = Credentials(
            .renewal(token, of: session.identity), from: address, at: configuration.calendar())
        let isBegun = run(of: session) {
            await authenticator.authenticate(credentials)
        } whenDone: { session, answer in
            guard case .accepted(let identity) = answer,
                session.user?.isSameBytes(as: identity.user) ?? false
            else { return session.fail(id, .badToken) }
            session.shard.renewed(identity, of: session)
            session.tell(.reply(id, Payload(text: "")))
        }
        if !isBegun { session.fail(id, .overloaded) }
    }

    private func renewed(_ identity: Identity, of session: Session) {
        let granted = session.topics.filter { session.isGranted($0.name) }
        if session.identity == nil { session.identity = identity }
        session.identity?.user = identity.user
        session.identity?.topics = identity.topics
        session.identity?.expiry = identity.expiry
        // One that came back by its token has none.
        if session.attributes.isEmpty { session.attributes = identity.attributes }
        session.watchCredentials()
        reconsider(granted.filter { !session.isGranted($0.name) }, of: session)
    }

    /// Ends the subscriptions to topics that are no longer granted, unless the application allows them.
    private func reconsider(_ topics: [Topic], of session: Session) {
        var open: [(Topic, @Sendable () async -> Permission)] = []
        for topic in topics {
            switch application.authorize(.subscribe(topic: topic.name), by: session) {
            case .allow: break
            case .deny, .refuse: session.takeAway(topic)
            case .ask(let question): open.append((topic, question))
            }
        }
        guard !open.isEmpty else { return }
        let questions = open
        let isBegun = run(of: session) {
            var denied: [Topic] = []
            for (topic, question) in questions {
                var permission = await question()
                while case .ask(let next) = permission { permission = await next() }
                if case .allow = permission { continue }
                denied.append(topic)
            }
            return denied
        } whenDone: { session, denied in
            session.wereAnswered(questions.map(\.0))
            // It may have been renewed again meanwhile.
            for topic in denied where !session.isGranted(topic.name) { session.takeAway(topic) }
        }
        guard isBegun else {
            for (topic, _) in open { session.takeAway(topic) }
            return
        }
        session.madeExtras.questioned += open.map(\.0)
    }
}

extension Session {
    /// Whether the application is being asked whether the session may go on to follow the topic.
    func isQuestioned(_ topic: Topic) -> Bool {
        extras?.questioned.contains { $0 === topic } ?? false
    }

    fileprivate func wereAnswered(_ topics: [Topic]) {
        for topic in topics {
            guard let index = extras?.questioned.firstIndex(where: { $0 === topic }) else {
                continue
            }
            extras?.questioned.remove(at: index)
        }
        shard.tokenIsStale(of: self)
    }

    /// Ends a subscription that the client did not ask to end, and says so.
    fileprivate func takeAway(_ topic: Topic) {
        // Of a topic that it was about to return to the client is told there.
        let isSubscribed = position(of: topic) != nil
        if unsubscribe(from: topic), isSubscribed { tell(.unsubscribed(nil, topic: topic.name)) }
    }
}
