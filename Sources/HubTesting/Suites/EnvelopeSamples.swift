public import Hub

private let epoch = Epoch(rawValue: .max)
private let position = TopicPosition(epoch: epoch, offset: 1 << 60)
private let first = TopicPosition(epoch: Epoch(rawValue: 1), offset: 0)
private let mark = RequestID(rawValue: .max)

private let texts = HubMessage(text: "a \"quoted\"\\ line\n\u{7}\u{2028} ☂ 🏳️‍🌈")
private let json = HubMessage(
    Payload(Array(#"{"a":[1,null,{"b":"ü"}],"c":1e9}"#.utf8), format: .json),
    event: "moved", sender: "e\u{301}", key: "position:7")
private let null = HubMessage(Payload(Array("null".utf8), format: .json))
private let binary = HubMessage(
    Payload((0..<300).map { UInt8(truncatingIfNeeded: $0) }, format: .binary), event: "")
private let messages = [texts, json, null, binary, HubMessage(text: "")]

extension ServerEnvelope {
    /// Each case, with fields absent, empty, large and hard to write.
    public static let samples: [ServerEnvelope] =
        messages.flatMap { message -> [ServerEnvelope] in
            [
                .publication(topic: "room/é", message, position: position),
                .publication(topic: "", message, position: nil),
                .message(message), .request(mark, message),
                .reply(RequestID(rawValue: 0), message.payload),
                .inbox(InboxID(rawValue: .max), message),
            ]
        } + [
            .welcome(Welcome(session: "1-2-3", messageBytesMax: 65_536)),
            .welcome(
                Welcome(
                    session: "", user: "ann", heartbeat: .milliseconds(25_500), isResumed: true,
                    messageBytesMax: 1 << 40)),
            .subscribed(
                Subscribed(
                    request: mark, topic: "a", position: position, isRecovered: true, count: 3)),
            .subscribed(Subscribed(topic: "a", position: first, isRecovered: false)),
            .unsubscribed(mark, topic: "a"), .unsubscribed(nil, topic: "a"),
            .published(mark, position), .published(mark, nil),
            .presence(topic: "a", PresenceChanges(joined: ["x", "y"], left: [], count: 9)),
            .members(mark, topic: "a", users: ["\"", ""], count: 1_000_000),
            .history(
                mark, topic: "a",
                HistoryPage(
                    end: position, isRecovered: true,
                    messages: messages.enumerated().map {
                        StoredMessage(
                            offset: UInt64($0), time: Timestamp(milliseconds: 1_700_000_000_123),
                            message: $1)
                    }, hasMore: true)),
            .failure(Failure(code: .malformed)),
            .failure(
                Failure(
                    request: mark, code: FailureCode(rawValue: 60_000), text: "no \"way\"",
                    retryAfter: .milliseconds(1_500))),
            .reconnect(after: .milliseconds(7)),
            .token("a.b-c_d", expiry: Timestamp(milliseconds: -1)),
            .pong(mark),
        ]
}

extension ClientEnvelope {
    /// Each case, with fields absent, empty, large and hard to write.
    public static let samples: [ClientEnvelope] =
        messages.flatMap { message -> [ClientEnvelope] in
            // What a client publishes or sends has no sender of its own.
            var message = message
            message.sender = nil
            return [
                .message(message), .request(mark, message),
                .reply(RequestID(rawValue: 1), message.payload),
                .publish(Publish(topic: "a", message: message)),
                .publish(
                    Publish(
                        request: mark, topic: "room/é", message: message,
                        durability: .volatile, idempotencyKey: "k\"")),
                .publish(Publish(topic: "", message: message, durability: .transient)),
            ]
        } + [
            .resume(Resume(token: "a.b-c_d")),
            .resume(
                Resume(
                    token: "",
                    positions: [
                        KnownTopic(topic: "é", position: position),
                        KnownTopic(topic: "", position: first),
                    ])),
            .subscribe(mark, topic: "a", after: position),
            .subscribe(RequestID(rawValue: 0), topic: "é", after: nil),
            .unsubscribe(mark, topic: "a"),
            .acknowledge([]), .acknowledge([InboxID(rawValue: 1), InboxID(rawValue: .max)]),
            .members(mark, topic: "a"),
            .history(mark, topic: "a", after: position, messagesMax: 100),
            .history(mark, topic: "a", after: nil, messagesMax: 1),
            .refresh(mark, credentials: "secret"),
            .ping(mark),
        ]
}
