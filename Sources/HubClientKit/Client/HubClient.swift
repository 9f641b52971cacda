public import Hub
public import NetPoll
public import WSFrame
public import WSTransport

/// A client of a hub that keeps its session: it comes back by itself, with what it subscribed to. What
/// it missed comes then, each message once, or an event says that there may be a gap.
///
/// ```swift
/// let client = HubClient(webSockets, try WebSocketRequest(url: "ws://example.com/ws"), on: loop) {
///     if case .publication(let topic, let message, _) = $0.content { show(topic, message) }
/// }
/// client.start()
/// try await client.subscribe(to: "lobby")
/// try await client.publish(HubMessage(text: "hello"), to: "lobby")
/// ```
///
/// Any thread may use it. Keep it as long as it shall be connected.
public final class HubClient: Sendable {
    /// The loop of its connections, on which events are handled.
    public let loop: EventLoop
    private let driver: ClientDriver
    private let timeout: Duration

    /// Creates a client, which connects when it is started.
    ///
    /// - Parameters:
    ///   - webSockets: Opens its connections; may be shared by many clients.
    ///   - request: What to ask for; the subprotocol is set by the client.
    ///   - address: The server; `nil`, the default, for the request's host.
    ///   - loop: One of `webSockets`' loops.
    ///   - configuration: Login, limits and times.
    ///   - handler: Called on `loop` with each event, in order; must not block.
    public init(
        _ webSockets: WebSocketClient, _ request: WebSocketRequest,
        at address: SocketAddress? = nil, on loop: EventLoop,
        configuration: Configuration = .init(),
        handler: @escaping @Sendable (HubClientEvent) -> Void
    ) {
        self.loop = loop
        timeout = configuration.callTimeout
        driver = ClientDriver(
            webSockets, request, address, on: loop, configuration, handler: handler)
    }

    deinit {
        let driver = driver
        loop.execute { driver.stop() }
    }

    /// Connects, and from now on again and again.
    public func start() {
        loop.execute { [driver] in driver.start() }
    }

    /// Closes the connection with 1000 and ends what is open; the client cannot be started again.
    public func stop() {
        loop.execute { [driver] in driver.stop() }
    }

    // MARK: - Topics

    /// Subscribes to a topic, also across connections, until ``unsubscribe(from:)``.
    ///
    /// - Parameters:
    ///   - topic: Its name.
    ///   - position: Up to where the client knows it; what came after follows as events. Without one,
    ///     from now on, or from where the client followed the topic to before its connection was lost.
    /// - Returns: Where the topic is.
    /// - Throws: ``HubClientError``. After ``HubClientError/timedOut`` the client goes on trying.
    @discardableResult
    public func subscribe(
        to topic: String, after position: TopicPosition? = nil
    ) async throws(HubClientError) -> ServerEnvelope.Subscribed {
        let answer = try await perform { $0.core.subscribe($1, to: topic, after: position) }
        guard case .subscribed(let subscribed) = answer else { throw .unexpectedAnswer }
        return subscribed
    }

    /// Ends a subscription; without a connection, as soon as there is one.
    ///
    /// - Throws: ``HubClientError``; the client wants it no more in any case.
    public func unsubscribe(from topic: String) async throws(HubClientError) {
        _ = try await perform { $0.core.unsubscribe($1, from: topic) }
    }

    /// Publishes, and waits until the message has its place.
    ///
    /// Where the connection is lost it is tried again on the next one; the hub publishes it once, for
    /// it bears a key of its own.
    ///
    /// - Parameters:
    ///   - message: What is published.
    ///   - topic: Where.
    ///   - durability: How the topic treats it. What is not stored is not tried again.
    /// - Returns: The place; `nil` for what is not stored.
    /// - Throws: ``HubClientError``.
    @discardableResult
    public func publish(
        _ message: HubMessage, to topic: String, durability: Publication.Durability = .stored
    ) async throws(HubClientError) -> TopicPosition? {
        let isStored = durability == .stored
        let key = isStored ? Self.key() : nil
        let answer = try await call(isRepeatable: isStored) {
            .publish(
                .init(
                    request: $0, topic: topic, message: message, durability: durability,
                    idempotencyKey: key))
        }
        guard case .published(_, let position) = answer else { throw .unexpectedAnswer }
        return position
    }

    /// Publishes without waiting for an answer; what cannot be sent now is dropped.
    public func publishVolatile(_ message: HubMessage, to topic: String) {
        say(.publish(.init(topic: topic, message: message, durability: .volatile)))
    }

    /// Who is in a topic.
    ///
    /// - Returns: Some of the users, and how many there are.
    /// - Throws: ``HubClientError``.
    public func members(
        of topic: String
    ) async throws(HubClientError) -> (users: [String], count: Int) {
        let answer = try await call(isRepeatable: true) { .members($0, topic: topic) }
        guard case .members(_, _, let users, let count) = answer else { throw .unexpectedAnswer }
        return (users, count)
    }

    /// A part of a topic's history: at most `messagesMax` messages, which is at least 1.
    ///
    /// - Throws: ``HubClientError``.
    public func history(
        of topic: String, after position: TopicPosition? = nil, messagesMax: Int = 100
    ) async throws(HubClientError) -> HistoryPage {
        let answer = try await call(isRepeatable: true) {
            .history($0, topic: topic, after: position, messagesMax: messagesMax)
        }
        guard case .history(_, _, let page) = answer else { throw .unexpectedAnswer }
        return page
    }

    // MARK: - The application

    /// Says something to the application; what cannot be sent now is dropped.
    public func send(_ message: HubMessage) { say(.message(message)) }

    /// Asks the application something.
    ///
    /// - Returns: What it answered.
    /// - Throws: ``HubClientError``; where the connection is lost meanwhile it is not asked again.
    public func request(_ message: HubMessage) async throws(HubClientError) -> Payload {
        let answer = try await call(isRepeatable: false) { .request($0, message) }
        guard case .reply(_, let payload) = answer else { throw .unexpectedAnswer }
        return payload
    }

    /// Answers a ``HubClientEvent/Content/request(_:_:)``.
    public func reply(to id: RequestID, with payload: Payload) { say(.reply(id, payload)) }

    /// Gives the hub a new proof of who the client is.
    ///
    /// - Throws: ``HubClientError``.
    public func refresh(credentials: String) async throws(HubClientError) {
        _ = try await call(isRepeatable: false) { .refresh($0, credentials: credentials) }
    }

    // MARK: -

    private func say(_ envelope: ClientEnvelope) {
        loop.execute { [driver] in driver.perform(driver.core.say(envelope) ?? []) }
    }

    private func call(
        isRepeatable: Bool, _ envelope: @escaping @Sendable (RequestID) -> ClientEnvelope
    ) async throws(HubClientError) -> ServerEnvelope {
        try await perform { $0.core.call($1, envelope($1), isRepeatable: isRepeatable) }
    }

    private func perform(
        _ begin: @escaping @Sendable (ClientDriver, RequestID) -> [ClientCore.Action]
    ) async throws(HubClientError) -> ServerEnvelope {
        let result = await withCheckedContinuation {
            (continuation: CheckedContinuation<Result<ServerEnvelope, HubClientError>, Never>) in
            let willRun = loop.execute { [driver, timeout] in
                driver.begin(within: timeout, begin) { continuation.resume(returning: $0) }
            }
            if !willRun { continuation.resume(returning: .failure(.stopped)) }
        }
        return try result.get()
    }

    /// Names a publication among all that there ever are.
    private static func key() -> String {
        var generator = SystemRandomNumberGenerator()
        return String(generator.next(), radix: 36) + String(generator.next(), radix: 36)
    }
}
