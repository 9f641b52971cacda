import Hub
import NetPoll
import WSFrame
import WSTransport

/// One client of the chat.
///
///     awaitingHello ──hello──▶ named ──▶ (ended)
///          │
///       10 s pass
///          ▼
///        (closed with 1008)
final class ChatSession: SessionHandler {
    private enum State {
        case awaitingHello(TimerID?)
        case named(String)
    }

    private static let helloTimeout = Duration.seconds(10)

    private let chat: Chat
    private let hub: HubServer
    private let rules: ChatRules
    private var state = State.awaitingHello(nil)
    private var bucket: TokenBucket
    /// Cleared when it ends: the session holds this handler.
    private var session: Session?

    init(chat: Chat, hub: HubServer) {
        self.chat = chat
        self.hub = hub
        rules = ChatRules(limits: chat.limits)
        bucket = TokenBucket(
            perSecond: chat.limits.messagesPerSecond, burst: chat.limits.messagesBurst)
    }

    func began(_ session: Session) {
        self.session = session
        state = .awaitingHello(session.loop.schedule(after: Self.helloTimeout, self))
    }

    func ended(_ session: Session, reason: WebSocketCloseReason) {
        if case .awaitingHello(let timer?) = state { session.loop.cancel(timer) }
        self.session = nil
    }

    func received(_ message: RawSpan, kind: MessageKind, from session: Session) {
        guard kind == .text else {
            session.close(.unsupportedData, reason: "the chat speaks JSON text")
            return
        }
        let outcome = bucket.take(at: session.loop.now)
        guard outcome != .exhausted else {
            session.close(.policyViolation, reason: "too many messages")
            return
        }
        let request: ClientMessage
        do throws(ChatError) {
            request = try ClientMessage(json: message)
        } catch {
            session.send(ServerMessage.error(error))
            return
        }
        do throws(ChatError) {
            if case .limited(let retryAfter) = outcome {
                throw ChatError(.rateLimited, "too many messages", retryAfter: retryAfter)
            }
            try carryOut(request, for: session)
        } catch {
            session.send(ServerMessage.error(error, room: request.room, ref: request.ref))
            if error.code == .badVersion { session.close(.policyViolation, reason: error.message) }
        }
    }

    private func carryOut(_ request: ClientMessage, for session: Session) throws(ChatError) {
        guard case .named(let name) = state else {
            guard case .hello(let version, let name) = request else {
                throw ChatError(.helloFirst, "say hello first")
            }
            try begin(session, version: version, name: name)
            return
        }
        switch request {
        case .hello:
            throw ChatError(.helloTwice, "hello was said already")
        case .join(let room, let epoch, let offset):
            try join(room, epoch: epoch, offset: offset, session)
        case .leave(let room):
            try rules.check(room: room)
            if let topic = session.topic(named: room) { session.unsubscribe(from: topic) }
            session.send(ServerMessage.left(room: room))
        case .send(let room, let text, let ref):
            try say(text, as: name, in: room, ref: ref, session)
        case .typing(let room, let isTyping):
            let message = ServerMessage.typing(room: room, from: name, isTyping: isTyping)
            // Typing that cannot be told now is not worth telling later.
            try joinedTopic(room, of: session).publish(Publication(message, durability: .volatile))
        case .rooms:
            session.send(chat.directory.answer(for: hub, at: session.loop.now))
        case .ping(let ref):
            try rules.check(ref: ref)
            session.send(ServerMessage.pong(ref: ref))
        }
    }

    private func begin(_ session: Session, version: Int, name: String) throws(ChatError) {
        guard version == 1 else {
            throw ChatError(.badVersion, "version \(version) is not spoken here, only 1")
        }
        try rules.check(name: name)
        do throws(IdentifyError) {
            try session.identify(as: name)
        } catch {
            throw ChatError(.overloaded, "not as that name now")
        }
        if case .awaitingHello(let timer?) = state { session.loop.cancel(timer) }
        state = .named(name)
        session.send(ServerMessage.welcome(name: name, limits: chat.limits))
    }

    private func join(_ room: String, epoch: String?, offset: UInt64?, _ session: Session)
        throws(ChatError)
    {
        try rules.check(room: room)
        guard let topic = hub.topic(room) else {
            throw ChatError(.tooManyRooms, "the server has too many rooms")
        }
        var position: TopicPosition?
        if let epoch = epoch.flatMap({ Epoch($0) }), let offset {
            position = TopicPosition(epoch: epoch, offset: offset)
        }
        let snapshot: TopicSnapshot
        do throws(SubscribeError) {
            snapshot = try session.subscribe(
                to: topic, after: position, usersMax: Chat.namesMax)
        } catch {
            switch error {
            case .topicFull: throw ChatError(.roomFull, "the room is full")
            case .tooManySubscriptions:
                throw ChatError(
                    .tooManyRooms, "one can be in \(chat.limits.roomsPerSessionMax) rooms")
            case .sessionEnded: return
            case .loading:
                throw ChatError(.overloaded, "the room is being read", retryAfter: .seconds(1))
            }
        }
        session.send(
            ServerMessage.joined(
                room: room, snapshot, historyBytesMax: Chat.joinedHistoryBytesMax))
    }

    private func say(
        _ text: String, as name: String, in room: String, ref: String?, _ session: Session
    ) throws(ChatError) {
        try rules.check(ref: ref)
        try rules.check(text: text)
        let topic = try joinedTopic(room, of: session)
        switch topic.publish(ServerMessage.message(room: topic, from: name, text: text, ref: ref)) {
        case .published, .accepted: break
        case .overloaded:
            throw ChatError(.overloaded, "the server is busy", retryAfter: .seconds(1))
        }
    }

    private func joinedTopic(_ room: String, of session: Session) throws(ChatError) -> Topic {
        try rules.check(bytesOf: room)
        guard let topic = session.topic(named: room) else {
            throw ChatError(.notJoined, "not in that room")
        }
        return topic
    }
}

extension ChatSession: TimerTarget {
    /// No hello came in time.
    func timerFired(_ id: TimerID, on loop: EventLoop) {
        guard case .awaitingHello = state else { return }
        session?.close(.policyViolation, reason: "no hello")
    }
}
