import NetPoll
import WSTransport

// What a client asks about topics. Answers are long: no more of them are under way to a client than its
// connection takes without harm, whatever it asks at once.
extension HubShard {
    /// Bytes that may wait for a client when it is answered; the next answer waits until there are fewer.
    private static let answeredBytesMax = 256 << 10

    func tellMembers(of name: String, _ id: RequestID, _ session: Session, _ hub: HubServer) {
        answer(id, session) { [usersMax = configuration.presenceChangesMax] session in
            let snapshot = hub.existingTopic(name)?.snapshot(usersMax: usersMax)
            session.tell(
                .members(
                    id, topic: name, users: snapshot?.users.sorted() ?? [],
                    count: snapshot?.userCount ?? 0))
        }
    }

    func tellHistory(
        of name: String, after position: TopicPosition?, messagesMax: Int, _ id: RequestID,
        _ session: Session, _ hub: HubServer
    ) {
        guard messagesMax > 0 else { return session.fail(id, .malformed) }
        let limit = PageLimit(messagesMax: min(messagesMax, 1_000), bytesMax: 64 << 10)
        guard let topic = hub.existingTopic(name) else {
            guard let store = directories.histories?.store else {
                return session.fail(id, .notFound)
            }
            return read(id, session) {
                $0.shard.readHistory(of: name, in: store, after: position, limit, id, $0)
            }
        }
        whenLoaded(topic, .question, id, session) { session in
            session.shard.answer(id, session) { session in
                let page = topic.history(after: position, limit: limit)
                session.tell(.history(id, topic: name, page))
            }
        }
    }

    /// Tells the history of a topic that is not there. A durable store may know it from before; it is not
    /// made for that, since there is no bound for the names that may be asked for.
    private func readHistory(
        of name: String, in store: any MessageStore, after position: TopicPosition?,
        _ limit: PageLimit, _ id: RequestID, _ session: Session
    ) {
        let now = configuration.calendar()
        // There is no other beside it.
        let isBegun = run(of: session, beyond: 1) {
            () async -> Result<HistoryPage?, StoreError> in
            do throws(StoreError) {
                return .success(
                    try await store.history(of: name, after: position, limit: limit, at: now))
            } catch {
                return .failure(error)
            }
        } whenDone: { session, result in
            session.shard.answerInTurn(session) { session in
                switch result {
                case .success(let page?): session.tell(.history(id, topic: name, page))
                case .success(nil): session.fail(id, .notFound)
                case .failure: session.fail(id, .storeFailed)
                }
                session.shard.readNext(session)
            }
        }
        guard !isBegun else { return }
        session.fail(id, .overloaded)
        readNext(session)
    }

    // MARK: - In their time

    /// Answers a question, now or when the connection has taken what was answered before.
    private func answer(
        _ id: RequestID, _ session: Session, _ body: @escaping (Session) -> Void
    ) {
        if session.tasks?.answers.isEmpty ?? true, mayBeAnswered(session) { return body(session) }
        guard mayWait(id, session) else { return }
        answerInTurn(session, body)
    }

    /// Reads for a question when what was read before is told: pages are large, and only one of them waits
    /// for a client that does not read.
    private func read(_ id: RequestID, _ session: Session, _ body: @escaping (Session) -> Void) {
        guard mayWait(id, session) else { return }
        let tasks = session.madeTasks
        tasks.reads.append(body)
        guard !tasks.isReading else { return }
        tasks.isReading = true
        readNext(session)
    }

    private func readNext(_ session: Session) {
        guard let tasks = session.tasks else { return }
        guard !tasks.reads.isEmpty else {
            tasks.isReading = false
            return session.dropIdleTasks()
        }
        answerInTurn(session) { session in
            if let body = session.tasks?.reads.popFirst() { body(session) }
        }
    }

    /// Whether another question may wait; where not, the client is told.
    private func mayWait(_ id: RequestID, _ session: Session) -> Bool {
        guard session.tasks?.questions ?? 0 >= waitingMax else { return true }
        session.fail(id, .overloaded)
        return false
    }

    /// As ``answer(_:_:_:)``, for what waits already.
    private func answerInTurn(_ session: Session, _ body: @escaping (Session) -> Void) {
        let tasks = session.madeTasks
        if tasks.answers.isEmpty, mayBeAnswered(session) { return body(session) }
        tasks.answers.append(body)
        answerLater(session)
    }

    private func mayBeAnswered(_ session: Session) -> Bool {
        session.queuedBytes + (session.outbox?.bytes ?? 0) < Self.answeredBytesMax
    }

    private func answerLater(_ session: Session) {
        guard let tasks = session.tasks, !tasks.isAnsweringLater else { return }
        tasks.isAnsweringLater = true
        let id = session.id
        loop.execute {
            guard let session = self.sessions[id] else { return }
            session.tasks?.isAnsweringLater = false
            self.goOnAnswering(session)
        }
    }

    /// The connection may take more.
    func goOnAnswering(_ session: Session) {
        // One that is closing takes no more.
        guard let tasks = session.tasks, !tasks.answers.isEmpty,
            session.connection?.isOpen ?? false
        else { return }
        while mayBeAnswered(session), let body = tasks.answers.popFirst() { body(session) }
        // One that is not stuck is not told when it can take more.
        if tasks.answers.isEmpty {
            session.dropIdleTasks()
        } else if !session.isBacklogged {
            answerLater(session)
        }
    }

    // MARK: - Topics that are made

    /// The topic of that name, made where there is none; `nil` where that may not be now, which the client is
    /// told.
    func madeTopic(
        _ name: String, _ id: RequestID?, _ session: Session, _ hub: HubServer
    ) -> Topic? {
        if let topic = hub.existingTopic(name) { return topic }
        if let wait = session.delayOfNewTopic() {
            session.tell(
                .failure(
                    .init(
                        request: id, code: .rateLimited, text: "too many new topics",
                        retryAfter: wait)))
            return nil
        }
        guard let topic = hub.topic(name) else {
            // Topics that nobody holds are forgotten soon.
            let wait = RetryHint.jittered(.seconds(5), on: loop)
            session.tell(
                .failure(
                    .init(
                        request: id, code: .overloaded, text: "too many topics",
                        retryAfter: wait)))
            return nil
        }
        return topic
    }
}

/// How many topics a session has had made lately.
struct NewTopics {
    private var count = 0
    private var end: Instant

    /// Begins to count.
    init(until end: Instant) {
        self.end = end
    }

    /// Counts one, or tells how long to wait.
    mutating func take(_ most: Int, each window: Duration, at now: Instant) -> Duration? {
        if now >= end { (count, end) = (0, now + window) }
        guard count < most else { return end - now }
        count += 1
        return nil
    }
}

extension Session {
    /// Counts a topic that is made for the client; how long to wait where it has had too many made.
    fileprivate func delayOfNewTopic() -> Duration? {
        let configuration = shard.configuration
        let window = configuration.topicIdleTimeout
        var made = extras?.newTopics ?? NewTopics(until: loop.now + window)
        defer { madeExtras.newTopics = made }
        return made.take(
            max(configuration.newTopicsPerSessionMax, configuration.subscriptionsPerSessionMax),
            each: window, at: loop.now)
    }
}
