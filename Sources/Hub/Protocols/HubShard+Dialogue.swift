import NetPoll
import WSFrame
import WSTransport

// What a client says in its protocol, and what the hub answers.
extension HubShard {
    /// Frames something for the session; `nil` where its protocol has no word for it.
    func frame(_ envelope: ServerEnvelope, for session: Session) -> PreparedMessage? {
        configuration.protocols[Int(session.protocolIndex)].encode(envelope)
    }

    func received(_ bytes: RawSpan, kind: MessageKind, from session: Session) {
        guard !session.isRefused else { return }
        session.note { $0.received += 1 }
        let spoken = configuration.protocols[Int(session.protocolIndex)]
        switch session.meter(bytes: bytes.byteCount) {
        case .allowed: break
        case .limited(let wait): return refuse(bytes, kind, spoken, retryAfter: wait, session)
        case .exhausted: return
        }
        if spoken is RawProtocol, directories.onion.isEmpty {
            session.handler.received(bytes, kind: kind, from: session)
            return
        }
        let envelope: ClientEnvelope
        do throws(ClientProtocolError) {
            envelope = try spoken.decode(bytes, kind: kind)
        } catch {
            session.tell(
                .failure(.init(request: error.request, code: .malformed, text: error.reason)))
            if let code = error.closeCode { session.close(code, reason: error.reason) }
            return
        }
        obey(envelope, from: session)
    }

    /// Tells a client that a message came too fast, by the message's own mark where it has one: what
    /// was asked has failed, and nobody waits for an answer. There are not many: the next ones close.
    private func refuse(
        _ bytes: RawSpan, _ kind: MessageKind, _ spoken: any ClientProtocol,
        retryAfter wait: Duration, _ session: Session
    ) {
        let request: RequestID?
        do throws(ClientProtocolError) {
            request = try spoken.decode(bytes, kind: kind).asked
        } catch {
            request = error.request
        }
        session.tell(
            .failure(
                .init(request: request, code: .rateLimited, text: "too fast", retryAfter: wait)))
    }

    private func obey(_ envelope: ClientEnvelope, from session: Session) {
        switch envelope {
        case .message(let message):
            pass(message, from: session) { handle($0, from: session) }
        case .request(let id, let message):
            pass(message, from: session) { answer($0, id, from: session) }
        case .reply(let id, let payload):
            session.answered(id, .success(payload))
        case .subscribe(let id, let topic, let position):
            subscribe(to: topic, after: position, id, for: session)
        case .unsubscribe(let id, let topic):
            unsubscribe(from: topic, id, for: session)
        case .publish(let publish):
            self.publish(publish, for: session)
        case .acknowledge(let ids):
            acknowledged(ids, by: session)
        case .members(let id, let topic):
            permit(.members(topic: topic), id, session) { session, hub in
                session.shard.tellMembers(of: topic, id, session, hub)
            }
        case .history(let id, let topic, let position, let messagesMax):
            permit(.history(topic: topic), id, session) { session, hub in
                session.shard.tellHistory(
                    of: topic, after: position, messagesMax: messagesMax, id, session, hub)
            }
        case .resume(let resume):
            self.resume(resume, for: session)
        case .refresh(let id, let credentials):
            renew(credentials, id, of: session)
        case .ping(let id):
            session.tell(.pong(id))
        }
    }

    // MARK: - Messages for the application

    private func pass(
        _ message: HubMessage, from session: Session, to core: (HubMessage) -> Void
    ) {
        var message = message
        message.sender = session.user
        directories.onion.message(message, from: session, core: core)
    }

    private func handle(_ message: HubMessage, from session: Session) {
        guard let event = message.event, let route = directories.router.route(for: event) else {
            session.handler.received(message, from: session)
            return
        }
        switch route {
        case .message(let body):
            do { try body(message, session) } catch { session.fail(nil, error) }
        case .request(let body):
            // Nobody waits for the answer.
            body(message, session) { result in
                if case .failure(let error) = result { session.fail(nil, error) }
            }
        }
    }

    private func answer(_ message: HubMessage, _ id: RequestID, from session: Session) {
        guard let event = message.event, let route = directories.router.route(for: event) else {
            session.fail(id, .unsupported)
            return
        }
        switch route {
        case .message(let body):
            do {
                try body(message, session)
                session.tell(.reply(id, Payload(text: "")))
            } catch {
                session.fail(id, error)
            }
        case .request(let body):
            body(message, session) { result in
                switch result {
                case .success(let payload): session.tell(.reply(id, payload))
                case .failure(let error): session.fail(id, error)
                }
            }
        }
    }

    // MARK: - Topics

    /// How much of a session's may wait.
    var waitingMax: Int {
        configuration.subscriptionsPerSessionMax + configuration.tasksPerSessionMax
    }

    /// Lets a subscription begin, after what the client said of the topic before.
    private func subscribe(
        to topic: String, after position: TopicPosition?, _ id: RequestID, for session: Session
    ) {
        guard let tasks = session.tasks, tasks.isHeld(topic) else {
            return follow(topic, after: position, id, for: session)
        }
        guard tasks.waiting < waitingMax else { return session.fail(id, .overloaded) }
        tasks.begin(topic) { $0.shard.follow(topic, after: position, id, for: $0) }
    }

    /// Lets a subscription end, after what the client said of the topic before.
    private func unsubscribe(from topic: String, _ id: RequestID, for session: Session) {
        guard let tasks = session.tasks, tasks.isHeld(topic) else {
            return leave(topic, id, for: session)
        }
        // One end is enough.
        guard !tasks.isEndLast(of: topic) else {
            session.tell(.unsubscribed(id, topic: topic))
            return
        }
        tasks.end(topic) { $0.shard.leave(topic, id, for: $0) }
    }

    private func follow(
        _ name: String, after position: TopicPosition?, _ id: RequestID, for session: Session
    ) {
        permit(.subscribe(topic: name), id, session) { session, hub in
            guard let topic = session.shard.madeTopic(name, id, session, hub) else { return }
            let wasGranted = session.isGranted(name)
            session.shard.whenLoaded(topic, .subscription, id, session) { session in
                // Its credentials may have been renewed meanwhile.
                guard !wasGranted || session.isGranted(name) else {
                    return session.shard.follow(name, after: position, id, for: session)
                }
                do throws(SubscribeError) {
                    try session.shard.follow(session, topic, after: position, request: id)
                } catch {
                    session.fail(id, .limitReached)
                }
            }
        }
    }

    private func leave(_ name: String, _ id: RequestID, for session: Session) {
        if let known = session.topic(named: name) { session.unsubscribe(from: known) }
        session.tell(.unsubscribed(id, topic: name))
    }

    /// What waits until a topic is read.
    enum Waiter {
        /// What the client says of the topic from now on comes after it.
        case subscription
        case question
    }

    /// Goes on once what the store knows of the topic is read.
    func whenLoaded(
        _ topic: Topic, _ waiter: Waiter, _ id: RequestID, _ session: Session,
        then body: @escaping @Sendable (Session) -> Void
    ) {
        guard !topic.isLoaded else { return body(session) }
        guard session.tasks?.waiting ?? 0 < waitingMax else {
            return session.fail(id, .overloaded)
        }
        let tasks = session.madeTasks
        tasks.waiting += 1
        if waiter == .subscription { tasks.hold(topic.name) }
        let sessionID = session.id
        topic.whenLoaded(on: loop, during: session.life) { [self] in
            guard let session = sessions[sessionID], let tasks = session.tasks else { return }
            tasks.waiting -= 1
            switch waiter {
            case .subscription: tasks.goOn(with: topic.name, session, body)
            case .question: body(session)
            }
            session.dropIdleTasks()
        }
    }

    private func publish(_ publish: ClientEnvelope.Publish, for session: Session) {
        var message = publish.message
        message.sender = session.user
        let action = ClientAction.publish(topic: publish.topic, message, publish.durability)
        permit(action, publish.request, session) { session, hub in
            guard
                let topic = session.shard.madeTopic(
                    publish.topic, publish.request, session, hub)
            else { return }
            var publication = Publication(message, durability: publish.durability)
            publication.idempotencyKey = publish.idempotencyKey
            let (shard, name) = (session.shard, session.id)
            topic.publish(publication) { result in
                let tell: @Sendable () -> Void = {
                    guard let session = shard.sessions[name] else { return }
                    shard.wasPublished(result, publish.request, for: session)
                }
                // Usually it is known at once.
                if shard.loop.isCurrent { tell() } else { shard.loop.execute(tell) }
            }
        }
    }

    private func wasPublished(
        _ result: Result<PublishOutcome, StoreError>, _ id: RequestID?, for session: Session
    ) {
        switch result {
        case .success(.published(let position)):
            if let id { session.tell(.published(id, position)) }
        case .success(.overloaded), .success(.accepted):
            session.tell(
                .failure(.init(request: id, code: .overloaded, retryAfter: .seconds(1))))
        case .failure:
            session.fail(id, .storeFailed)
        }
    }

    /// Goes on once the application has found that the client may.
    private func permit(
        _ action: ClientAction, _ id: RequestID?, _ session: Session,
        then body: @escaping (Session, HubServer) -> Void
    ) {
        guard let hub = directories.hub else { return }
        let isGranted = session.identity?.grants(action) ?? false
        switch isGranted ? .allow : application.authorize(action, by: session) {
        case .allow:
            body(session, hub)
        case .deny(let reason):
            session.fail(id, EventFailure(.forbidden, reason))
        case .refuse(let failure):
            session.fail(id, failure)
        case .ask(let question):
            let isBegun = run(of: session) {
                var permission = await question()
                while case .ask(let next) = permission { permission = await next() }
                return permission
            } whenDone: { session, permission in
                let obey: (Session) -> Void = { session in
                    switch permission {
                    case .allow, .ask: body(session, hub)
                    case .deny(let reason): session.fail(id, EventFailure(.forbidden, reason))
                    case .refuse(let failure): session.fail(id, failure)
                    }
                }
                if case .subscribe(let topic) = action, let tasks = session.tasks {
                    tasks.goOn(with: topic, session, obey)
                } else {
                    obey(session)
                }
            }
            guard isBegun else { return session.fail(id, .overloaded) }
            if case .subscribe(let topic) = action { session.tasks?.hold(topic) }
        }
    }

    // MARK: - Tasks

    /// Runs `work` in a task on the loop, and `whenDone` there with what it returned, unless the
    /// session has ended.
    ///
    /// - Returns: `false` where the session has as many tasks as it may, and `more` beyond them.
    func run<Value: Sendable>(
        of session: Session, beyond more: Int = 0, _ work: @escaping @Sendable () async -> Value,
        whenDone: @escaping (Session, Value) -> Void
    ) -> Bool {
        let tasks = session.madeTasks
        guard tasks.open.count < configuration.tasksPerSessionMax + more else { return false }
        tasks.last &+= 1
        let (key, id) = (tasks.last, session.id)
        tasks.open[key] = { session, value in
            if let value = value as? Value { whenDone(session, value) }
        }
        Task(executorPreference: loop) {
            let value = await work()
            self.loop.execute { self.taskEnded(key, of: id, value) }
        }
        return true
    }

    private func taskEnded(_ key: UInt32, of id: SessionID, _ value: any Sendable) {
        guard let session = sessions[id],
            let whenDone = session.tasks?.open.removeValue(forKey: key)
        else { return }
        whenDone(session, value)
        session.dropIdleTasks()
    }
}

extension Session {
    /// Says something in the client's protocol, if that has a word for it.
    @discardableResult
    func tell(_ envelope: ServerEnvelope) -> WriteOutcome {
        guard let frame = shard.frame(envelope, for: self) else { return .accepted }
        return send(frame)
    }

    func fail(_ id: RequestID?, _ code: FailureCode, _ text: String = "") {
        tell(.failure(.init(request: id, code: code, text: text)))
    }

    func fail(_ id: RequestID?, _ error: any Error) {
        switch error {
        case let failure as EventFailure:
            tell(
                .failure(
                    .init(
                        request: id, code: failure.code, text: failure.text,
                        retryAfter: failure.retryAfter)))
        case EventError.overloaded: fail(id, .overloaded)
        case EventError.malformed, is DecodingError: fail(id, .malformed)
        default: fail(id, .handlerFailed)
        }
    }

    /// What other threads may keep of it.
    public var reference: SessionReference? {
        shard.directories.hub.map {
            SessionReference(id: id, user: user, device: device, hub: $0)
        }
    }
}
