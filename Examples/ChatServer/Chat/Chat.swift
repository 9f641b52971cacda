import Hub
import HubTokens
import NetPoll
import WSFrame

/// The chat: rooms are topics, members are the topics' users.
final class Chat: HubApplication {
    /// Names in one answer to who is in a room, and in one notice.
    static let namesMax = 200
    private static let historyBytesMax = 128 << 10
    private static let roomsMax = 10_000
    private static let roomSessionsMax = 10_000
    private static let messageBytesMax = 32 << 10
    private static let deviceBytesMax = 64
    /// Of all that a client says; what it asks of the chat has its own, smaller rate.
    private static var sessionRate: SessionRate {
        var rate = SessionRate()
        rate.messagesPerSecond = 40
        rate.messagesBurst = 600
        rate.bytesPerSecond = 256 << 10
        rate.bytesBurst = 4 << 20
        return rate
    }

    let limits = ChatLimits()
    private let rules: ChatRules
    private let directory = RoomDirectory()

    init() {
        rules = ChatRules(limits: limits)
    }

    /// Settings of a hub for this chat.
    ///
    /// - Parameters:
    ///   - connectionsMax: Clients at once.
    ///   - store: What keeps the rooms' histories.
    ///   - key: Signs what clients come back by.
    ///   - historyAge: How old a message may become; `nil` for as old as it may.
    /// - Returns: The settings.
    func configuration(
        connectionsMax: Int, store: any MessageStore = MemoryMessageStore(),
        key: ResumeKey = .random(), historyAge: Duration? = nil
    ) -> HubConfiguration {
        var configuration = HubConfiguration()
        configuration.files = Page.files
        configuration.protocols = [JSONProtocol(), MessagePackProtocol()]
        configuration.middleware = [CheckedMessages(calendar: configuration.calendar)]
        configuration.resume = ResumePolicy(SignedResumeTokens(keys: [key]))
        configuration.store = store
        configuration.connectionsMax = connectionsMax
        configuration.messageBytesMax = Self.messageBytesMax
        configuration.sessionRate = Self.sessionRate
        configuration.topic.historyMessagesMax = limits.historyMax
        configuration.topic.historyBytesMax = Self.historyBytesMax
        configuration.topic.historyAge = historyAge
        configuration.topic.subscribersMax = Self.roomSessionsMax
        // The page comes back and goes on where it was.
        configuration.topic.slowSubscribers = .close(.tryAgainLater)
        configuration.presenceChangesMax = Self.namesMax
        configuration.topicsMax = Self.roomsMax
        configuration.subscriptionsPerSessionMax = limits.roomsPerSessionMax
        // A name is no proof of who it is: as many may have it as come.
        configuration.sessionsPerUserMax = connectionsMax
        return configuration
    }

    /// Answers what clients ask of the chat itself.
    func attach(to hub: HubServer) {
        hub.onRequest(ChatMessages.Hello.event, as: ChatMessages.Hello.self) { hello, session in
            try self.begin(hello, session)
        }
        hub.onRequest(ChatMessages.RoomsQuestion.event, as: ChatMessages.RoomsQuestion.self) {
            [weak hub] _, session in
            try self.spend(session)
            let rooms = hub.map { self.directory.rooms(of: $0, at: session.loop.now) }
            return ChatMessages.Rooms(rooms: rooms ?? [])
        }
    }

    // MARK: - HubApplication

    func admit(_ request: HTTPRequest, from address: SocketAddress, to hub: HubServer) -> Admission
    {
        .accept(ChatSession(limits: limits))
    }

    func authorize(_ action: ClientAction, by session: Session) -> Permission {
        do {
            guard session.user != nil else { throw ChatError(.helloFirst, "say hello first") }
            try spend(session)
            switch action {
            case .subscribe(let room): try rules.check(room: room)
            case .history(let room), .members(let room): try rules.check(room: room)
            case .publish(let room, let message, let durability):
                try check(message, durability, for: room, session)
            }
            return .allow
        } catch let error as ChatError {
            return .refuse(error.failure)
        } catch let failure as EventFailure {
            return .refuse(failure)
        } catch {
            return .refuse(EventFailure(.malformed, "not a message of the chat"))
        }
    }

    // MARK: -

    private func begin(
        _ hello: ChatMessages.Hello, _ session: Session
    ) throws -> ChatMessages.Welcome {
        try spend(session)
        do throws(ChatError) {
            guard hello.version == 1 else {
                throw ChatError(
                    .badVersion, "version \(hello.version) is not spoken here, only 1")
            }
            guard session.user == nil else {
                throw ChatError(.helloTwice, "hello was said already")
            }
            try rules.check(name: hello.name)
            guard hello.device?.utf8.count ?? 0 <= Self.deviceBytesMax else {
                throw ChatError(.badName, "a device's name is too long")
            }
        } catch {
            throw error.failure
        }
        do throws(IdentifyError) {
            try session.identify(as: hello.name, device: hello.device)
        } catch {
            throw EventFailure(.limitReached, "not as that name now")
        }
        return ChatMessages.Welcome(name: hello.name, limits: limits)
    }

    private func check(
        _ message: HubMessage, _ durability: Publication.Durability, for room: String,
        _ session: Session
    ) throws {
        try rules.check(bytesOf: room)
        guard session.topic(named: room) != nil else {
            throw ChatError(.notJoined, "not in that room")
        }
        switch (message.event, durability) {
        case (ChatMessages.Say.event, .stored):
            let said = try message.payload.decoded(as: ChatMessages.Say.self)
            try rules.check(ref: said.ref)
            try rules.check(text: said.text)
        case (ChatMessages.Typing.event, .volatile):
            _ = try message.payload.decoded(as: ChatMessages.Typing.self)
        default:
            throw EventFailure(.unsupported, "rooms take stored say and volatile typing")
        }
    }

    /// Counts a message against the session's rate.
    private func spend(_ session: Session) throws {
        guard let handler = session.handler as? ChatSession else { return }
        switch handler.bucket.take(at: session.loop.now) {
        case .allowed: return
        case .limited(let retryAfter):
            throw EventFailure(.rateLimited, "too many messages", retryAfter: retryAfter)
        case .exhausted:
            session.close(.policyViolation, reason: "too many messages")
            throw EventFailure(.rateLimited, "too many messages")
        }
    }
}

/// Writes each message anew before the room takes it, with nothing in it but what was checked; into
/// what is said also when.
private struct CheckedMessages: HubMiddleware {
    let calendar: @Sendable () -> Timestamp

    func publish(
        _ publication: Publication, to topic: Topic, next: (Publication) -> PublishOutcome
    ) -> PublishOutcome {
        guard var message = publication.message else { return next(publication) }
        do {
            switch message.event {
            case ChatMessages.Say.event:
                let said = try message.payload.decoded(as: ChatMessages.Say.self)
                message.payload = try Payload(
                    json: ChatMessages.Said(
                        text: said.text, ref: said.ref, time: calendar().milliseconds))
            case ChatMessages.Typing.event:
                message.payload = try Payload(
                    json: message.payload.decoded(as: ChatMessages.Typing.self))
            default: return next(publication)
            }
        } catch {
            // It was decoded before it was let through.
            preconditionFailure("a message that was checked cannot be read: \(error)")
        }
        var written = Publication(message, durability: publication.durability)
        written.idempotencyKey = publication.idempotencyKey
        return next(written)
    }
}
