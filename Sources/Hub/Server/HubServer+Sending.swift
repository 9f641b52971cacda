import NetPoll
public import WSFrame

// What reaches sessions wherever they are: each loop that has some is told once.
extension HubServer {
    /// Sends a message to everyone that is meant, encoded once for each protocol among them.
    ///
    /// - Parameters:
    ///   - message: What is sent; before their topics' messages that wait.
    ///   - recipients: Who is meant.
    ///   - except: Sessions that are not meant all the same, such as the one it came from.
    public func send(
        _ message: HubMessage, to recipients: Recipients, except: [SessionID] = []
    ) {
        guard let node = directories.node else {
            return sendHere(message, to: recipients, except: except)
        }
        if except.isEmpty {
            node.command(.send(message, to: recipients))
        } else {
            // Sessions are of one node: it sends by itself, and the others to all that are meant.
            sendHere(message, to: recipients, except: except)
            node.sendElsewhere(message, to: recipients)
        }
    }

    func sendHere(_ message: HubMessage, to recipients: Recipients, except: [SessionID] = []) {
        let envelope = SharedEnvelope(.message(message), protocols: configuration.protocols)
        forEach(recipients, except: except) { session in
            if let frame = envelope.frame(for: session.protocolIndex) { session.send(frame) }
        }
    }

    /// Sends a message to these sessions; those that have ended are passed over.
    public func send(_ message: HubMessage, to ids: [SessionID]) {
        let envelope = SharedEnvelope(.message(message), protocols: configuration.protocols)
        forEach(ids) { session in
            if let frame = envelope.frame(for: session.protocolIndex) { session.send(frame) }
        }
    }

    /// Closes the sessions that are meant.
    public func kick(
        _ recipients: Recipients, code: CloseCode = .policyViolation, reason: String = ""
    ) {
        guard let node = directories.node else {
            return kickHere(recipients, code: code, reason: reason)
        }
        node.command(.kick(recipients, code: code, reason: reason))
    }

    func kickHere(_ recipients: Recipients, code: CloseCode, reason: String) {
        forEach(recipients) { $0.close(code, reason: reason) }
    }

    /// Lets a user in no more until then (`nil`: for ever), and closes the sessions there are.
    ///
    /// Bans are kept in memory: an application that wants them to outlive the process keeps them too.
    public func ban(user: String, until: Timestamp? = nil, reason: String = "") {
        guard let node = directories.node else {
            return banHere(user: user, until: until, reason: reason)
        }
        node.command(.ban(user: user, until: until, reason: reason))
    }

    /// As ``ban(user:until:reason:)``, for so long.
    public func ban(user: String, for duration: Duration, reason: String = "") {
        ban(user: user, until: configuration.calendar() + duration, reason: reason)
    }

    func banHere(user: String, until: Timestamp?, reason: String) {
        directories.bans.ban(user, until: until, at: configuration.calendar())
        kickHere(Recipients(.users([user])), code: .forbidden, reason: reason)
    }

    /// Lets a user in again.
    public func unban(user: String) {
        guard let node = directories.node else { return directories.bans.unban(user) }
        node.command(.unban(user: user))
    }

    /// Moves the sessions that are meant and subscribe to `topic` over to `other`, from its next
    /// message on. Sessions that have no room there stay with neither.
    ///
    /// The topics are of this node, and so are the sessions that are moved: those of other nodes stay,
    /// unless it is done there, too.
    public func move(_ recipients: Recipients, from topic: Topic, to other: Topic) {
        forEach(recipients) { session in
            // Of a topic that it was about to return to the client is told there.
            let isSubscribed = session.position(of: topic) != nil
            guard session.unsubscribe(from: topic) else { return }
            if isSubscribed { session.tell(.unsubscribed(nil, topic: topic.name)) }
            do throws(SubscribeError) {
                try session.follow(other)
            } catch {
                session.tell(
                    .failure(.init(code: .limitReached, text: "cannot join \(other.name)")))
            }
        }
    }

    /// Asks a session something and waits for the answer.
    ///
    /// - Parameters:
    ///   - message: The question.
    ///   - id: Whom.
    ///   - timeout: How long to wait.
    /// - Returns: What the client answered.
    /// - Throws: ``RequestError``.
    public func request(
        _ message: HubMessage, of id: SessionID, timeout: Duration = .seconds(10)
    ) async throws(RequestError) -> Payload {
        let result = await withCheckedContinuation { continuation in
            withSessionIfAny(id) { session in
                guard let session else {
                    continuation.resume(
                        returning: Result<Payload, RequestError>.failure(.sessionEnded))
                    return
                }
                session.request(message, timeout: timeout) { continuation.resume(returning: $0) }
            }
        }
        return try result.get()
    }

    // MARK: - Finding them

    /// Runs `body` for each of the sessions that are meant, on their loops.
    func forEach(
        _ recipients: Recipients, except: [SessionID] = [],
        _ body: @escaping @Sendable (Session) -> Void
    ) {
        let excluded = Set(except)
        if let ids = directories.sessions.sessions(of: recipients) {
            return forEach(ids.filter { !excluded.contains($0) }, body)
        }
        let isMeant = recipients.filter
        let topic = recipients.topic.flatMap(existingTopic)
        guard topic != nil || recipients.topic == nil else { return }
        for shard in shards {
            shard.loop.execute {
                shard.forEachSession(of: topic) { session in
                    if isMeant(session), !excluded.contains(session.id) { body(session) }
                }
            }
        }
    }

    /// Runs `body` for each of these sessions that has not ended; each loop is told once.
    func forEach(_ ids: [SessionID], _ body: @escaping @Sendable (Session) -> Void) {
        var places: [Int: [SessionID]] = [:]
        for id in ids {
            precondition(Int(id.loop) < shards.count, "session \(id) is of another hub")
            places[Int(id.loop), default: []].append(id)
        }
        for (loop, ids) in places {
            let shard = shards[loop]
            shard.loop.execute {
                for id in ids {
                    if let session = shard.sessions[id] { body(session) }
                }
            }
        }
    }
}
