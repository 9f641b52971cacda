import Hub
import NetPoll

/// Decides what a client of a hub says and when; the driver carries it out.
///
///     offline ──▶ connecting ──opened──▶ opening ──welcome──▶ ready
///        ▲                        │         │                   ▲
///        │                  with a token    │ with a login      │
///        │                        ▼         ▼                   │
///        │                     resuming ─▶ loggingIn ───reply───┤
///        │                        └────────welcome──────────────┘
///        └──────lost─────── any of them
///
/// Sees neither socket, clock nor random source.
struct ClientCore {
    enum Phase: Hashable {
        case offline
        case connecting
        case opening
        case resuming
        case loggingIn(RequestID)
        case ready(since: Instant)
        case stopped
    }

    enum Action: Equatable {
        case send(ClientEnvelope)
        case tell(HubClientEvent.Content)
        case finish(RequestID, Result<ServerEnvelope, HubClientError>)
        /// Subscribe again to what the hub does not know of, after so long and a part of the other.
        case renewLater(after: Duration, within: Duration)
        /// The hub could not let this client in now.
        case comeAgain(ServerEnvelope.Failure)
        /// The hub does not let this client in.
        case giveUp(HubClientEvent.Ending)
    }

    /// Something asked and not answered.
    struct Call: Hashable {
        let envelope: ClientEnvelope
        /// Asked again on the next connection; others are asked once.
        let isRepeatable: Bool
        /// On this connection or, without one, on the last.
        var isSent = false
    }

    /// What a hub could not do now, and may do soon: asked again of what is the client's already.
    static let passing: Set<FailureCode> = [
        .rateLimited, .overloaded, .timedOut, .storeFailed,
    ]

    let settings: HubClient.Configuration
    var phase = Phase.offline
    var subscriptions = Subscriptions()
    var calls: [RequestID: Call] = [:]
    /// Topics that are subscribed to again, by the requests that nobody waits for.
    var renewals: [RequestID: String] = [:]
    var token: String?
    var inbox = RecentInbox()
    private var lastID: UInt32 = 0
    private var welcome: ServerEnvelope.Welcome?
    private var backoff: Backoff
    /// When topics that could not be had again are asked for.
    var renewalBackoff: Backoff

    init(_ settings: HubClient.Configuration) {
        self.settings = settings
        token = settings.token
        backoff = Backoff(settings)
        renewalBackoff = backoff
    }

    var isReady: Bool {
        if case .ready = phase { true } else { false }
    }

    mutating func makeID() -> RequestID {
        lastID &+= 1
        return RequestID(rawValue: lastID)
    }

    // MARK: - Connections

    /// The WebSocket is open.
    mutating func opened() -> [Action] {
        welcome = nil
        guard let token else {
            phase = .opening
            return []
        }
        phase = .resuming
        return [.send(.resume(.init(token: token, positions: subscriptions.positions)))]
    }

    /// There is no connection, or no longer.
    ///
    /// - Returns: After how long to connect again, and what else to do.
    mutating func lost(at now: Instant, fraction: Double) -> (delay: Duration, actions: [Action]) {
        if case .ready(let since) = phase { backoff.worked(for: now - since) }
        phase = .offline
        renewals = [:]
        let failed = calls.filter { !$0.value.isRepeatable && $0.value.isSent }.keys
        for id in failed { calls[id] = nil }
        return (
            backoff.next(fraction: fraction),
            failed.map { .finish($0, .failure(.disconnected)) }
        )
    }

    /// The hub said when to come again, in the close of the connection or the answer that refused it.
    mutating func advised(_ delay: Duration) { backoff.advised = delay }

    mutating func stop() -> [Action] {
        phase = .stopped
        let ended = calls.keys.map { Action.finish($0, .failure(.stopped)) }
        calls = [:]
        return ended
    }

    // MARK: - What the hub says

    mutating func received(_ envelope: ServerEnvelope, at now: Instant) -> [Action] {
        switch envelope {
        case .welcome(let welcome): return welcomed(welcome, at: now)
        case .failure(let failure): return failed(failure, at: now)
        case .reply(let id, _):
            if phase == .loggingIn(id) { return begin(isResumed: false, at: now) }
            return answered(id, envelope)
        case .published(let id, _), .members(let id, _, _, _), .history(let id, _, _),
            .pong(let id):
            return answered(id, envelope)
        case .subscribed(let answer): return subscribed(answer)
        case .unsubscribed(let id, let topic): return unsubscribed(id, topic)
        case .publication(let topic, let message, let position):
            guard subscriptions.takes(topic, position) else { return [] }
            return [.tell(.publication(topic: topic, message, position))]
        case .message(let message): return [.tell(.message(message))]
        case .request(let id, let message): return [.tell(.request(id, message))]
        case .presence(let topic, let changes):
            return [.tell(.presence(topic: topic, changes))]
        case .inbox(let id, let message):
            // What comes again was not acknowledged in time.
            let isNew = inbox.insert(id)
            return (isNew ? [.tell(.inbox(id, message))] : []) + [.send(.acknowledge([id]))]
        case .token(let token, let expiry):
            self.token = token
            let missing = subscriptions.tokenCame()
            return [.tell(.token(token, expiry: expiry))]
                + (isReady ? renew(missing) + askWaiting() : [])
        case .reconnect(let delay):
            backoff.advised = delay
            return []
        }
    }

    private mutating func welcomed(
        _ welcome: ServerEnvelope.Welcome, at now: Instant
    ) -> [Action] {
        self.welcome = welcome
        switch phase {
        case .opening: return logIn(at: now)
        // The first welcome was on its way before the hub saw the token.
        case .resuming: return welcome.isResumed ? begin(isResumed: true, at: now) : []
        case .offline, .connecting, .loggingIn, .ready, .stopped: return []
        }
    }

    private mutating func logIn(at now: Instant) -> [Action] {
        guard let login = settings.login else { return begin(isResumed: false, at: now) }
        let id = makeID()
        phase = .loggingIn(id)
        return [.send(.request(id, login))]
    }

    private mutating func begin(isResumed: Bool, at now: Instant) -> [Action] {
        phase = .ready(since: now)
        renewalBackoff.succeeded()
        var actions: [Action] = []
        if let welcome { actions.append(.tell(.connected(welcome))) }
        actions += renew(subscriptions.began(isResumed: isResumed))
        for id in calls.keys { calls[id]?.isSent = false }
        return actions + askWaiting()
    }

    private mutating func failed(
        _ failure: ServerEnvelope.Failure, at now: Instant
    ) -> [Action] {
        guard let id = failure.request else {
            guard phase == .resuming else { return [.tell(.failure(failure))] }
            token = nil
            return logIn(at: now)
        }
        if phase == .loggingIn(id) {
            guard Self.passing.contains(failure.code) else {
                return [.giveUp(.refused(failure))]
            }
            backoff.least = failure.retryAfter ?? .zero
            return [.comeAgain(failure)]
        }
        if let topic = renewals.removeValue(forKey: id) {
            return refused(topic, failure, isRenewal: true)
        }
        guard let call = calls.removeValue(forKey: id) else { return [] }
        let ended = Action.finish(id, .failure(.failed(failure)))
        guard case .subscribe(_, let topic, _) = call.envelope else { return [ended] }
        return [ended] + refused(topic, failure, isRenewal: false)
    }

    private mutating func answered(_ id: RequestID, _ envelope: ServerEnvelope) -> [Action] {
        guard calls.removeValue(forKey: id) != nil else { return [] }
        return [.finish(id, .success(envelope))]
    }
}
