import Hub
import HubHTTP
import Testing

@Suite("Messages of the API")
struct APIMessageTests {
    private static let data = HubMessage(
        Payload(Array(#"{"a":[1,"]}\""]}"#.utf8), format: .json), event: "e", key: "k")
    private static let text = HubMessage(text: "\"\\\u{0} é")
    private static let place = TopicPosition(epoch: Epoch(rawValue: 35), offset: 7)

    static let messages: [any APIMessage] = [
        PublishCommand(topic: "a", data), PublishAnswer(position: nil),
        PublishCommand(topic: "a", text, durability: .transient, idempotencyKey: "i"),
        PublishAnswer(position: place), SendCommand(user: "u", text),
        SendCommand(user: "u", data, delivery: .now(device: "d")),
        SendCommand(
            user: "u", data, delivery: .inbox(timeToLive: .seconds(9), idempotencyKey: "i")),
        SendAnswer.stored(InboxID(rawValue: .max)), SendAnswer.duplicate(InboxID(rawValue: 1)),
        SendAnswer.sent, BroadcastCommand(text), DoneAnswer(),
        BroadcastCommand(data, topic: "t", exceptUsers: ["a", "\""]),
        CampaignCommand(text, rate: 1), CampaignCommand(data, to: .topic("t"), rate: 2, id: "c"),
        CampaignCommand(data, to: .users(["a"]), rate: 2),
        CampaignCommand(data, to: .inboxes(of: []), rate: 2), CampaignReference(id: "c"),
        CampaignAnswer(id: "c", rate: 3, progress: Campaign.Progress()),
        KickCommand(.user("u")), KickCommand(.user("u", banned: .seconds(1)), reason: "r"),
        KickCommand(.device("d", of: "u")), KickAnswer(sessions: 2),
        PresenceCommand.topic("t"), PresenceCommand.topic("t", limit: 3),
        PresenceCommand.user("u"), PresenceAnswer.topic("t", count: 2, users: ["a", "b"]),
        PresenceAnswer.user("u", sessions: 0), HistoryCommand(topic: "t"),
        HistoryCommand(topic: "t", after: place, limit: 5),
        HistoryAnswer(
            topic: "t", end: place, isRecovered: true, hasMore: false,
            messages: [
                .init(offset: 6, time: Timestamp(milliseconds: -1), message: data),
                .init(offset: 7, time: Timestamp(milliseconds: 1), message: text),
            ]),
        SessionsCommand.count, SessionsCommand.user("u"), SessionsAnswer.count(4),
        SessionsAnswer.user("u", [.init(id: "0-1-2", device: nil), .init(id: "1", device: "d")]),
        CommandFailure(.storeFull, "full"),
    ]

    @Test(arguments: messages.indices)
    func `what is written is read again as it was`(index: Int) throws {
        try check(Self.messages[index])
    }

    private func check<Message: APIMessage>(_ message: Message) throws {
        #expect(try Message(json: try message.json()) == message)
    }

    @Test(arguments: messages.indices)
    func `what is cut off anywhere is refused or read, and nothing worse`(index: Int) throws {
        try cut(Self.messages[index])
    }

    private func cut<Message: APIMessage>(_ message: Message) throws {
        let json = try message.json()
        for count in 0..<json.count {
            // Whether it is refused depends on where it ends; that it ends is what counts.
            _ = try? Message(json: Array(json[..<count]))
        }
    }

    @Test func `a time to live is written in whole seconds, and never as none`() throws {
        for (time, seconds) in [(Duration.milliseconds(1), "1"), (.milliseconds(1_001), "2")] {
            let command = SendCommand(
                user: "u", Self.text, delivery: .inbox(timeToLive: time))
            let json = String(decoding: try command.json(), as: UTF8.self)
            #expect(json.contains("\"ttl\":\(seconds)"))
        }
    }
}
