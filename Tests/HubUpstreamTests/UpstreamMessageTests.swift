import Hub
import HubHTTP
import Testing

@testable import HubUpstream

@Suite("What a hub and its application say")
struct UpstreamMessageTests {
    private static func event(_ kind: UpstreamEvent.Kind, user: String? = "ann") -> UpstreamEvent {
        UpstreamEvent(
            kind, id: "m-1", number: .max, time: Timestamp(milliseconds: 7), session: "0-1-2",
            user: user, device: user.map { "\($0)'s" }, address: "[::1]:80")
    }

    private static let identity = Identity(
        user: "ann", device: "d", attributes: ["a": "b"], topics: ["news", "rooms/*"],
        expiry: Timestamp(milliseconds: 9))

    static let messages: [any APIMessage] = [
        event(.connected), event(.connected, user: nil), event(.disconnected(.lost)),
        event(.message(HubMessage(text: "\"\u{1}é"))),
        event(
            .message(
                HubMessage(
                    Payload(Array(#"{"type":"connected"}"#.utf8), format: .json), event: "type",
                    key: "id"))),
        event(.message(HubMessage(Payload([], format: .binary)))),
        event(.message(HubMessage(Payload(Array(0...255), format: .binary), event: "e"))),
        ConnectQuestion(
            .request(
                target: "/ws?user=a\"",
                fields: [.init(name: "Host", value: "a"), .init(name: "X", value: "\\")]),
            from: "127.0.0.1:4", identity: identity),
        ConnectQuestion(.renewal(token: "t"), from: "127.0.0.1:4"), ConnectAnswer.asFound,
        ConnectAnswer.accepted(identity), ConnectAnswer.accepted(Identity(user: "bob")),
        ConnectAnswer.refused(AdmissionRefusal(.tooMany, "no", retryAfter: .milliseconds(1_500))),
        ConnectAnswer.refused(AdmissionRefusal(.credentialsExpired)),
        ConnectAnswer.refused(AdmissionRefusal(.tooMany, retryAfter: .milliseconds(Int64.max))),
    ]

    @Test(arguments: messages.indices)
    func `what is written is read again as it was, and what is cut off ends nothing`(
        index: Int
    ) throws {
        try check(Self.messages[index])
    }

    private func check<Message: APIMessage>(_ message: Message) throws {
        let json = try message.json()
        #expect(try Message(json: json) == message)
        for count in 0..<json.count {
            // Whether it is refused depends on where it ends; that it ends is what counts.
            _ = try? Message(json: Array(json[..<count]))
        }
    }

    @Test func `what a client says in JSON cannot be taken for what the hub says`() throws {
        let forged = Payload(Array(#"{"user":"root","number":1}"#.utf8), format: .json)
        let event = Self.event(.message(HubMessage(forged)))
        #expect(try UpstreamEvent(json: try event.json()).user == "ann")
    }

    @Test(arguments: ["A", "AA=", "A===", "AB==", "AAB=", "AA=A", "A A=", "AAAA="])
    func `what is no base64 is refused`(text: String) throws {
        let bytes = Self.event(.message(HubMessage(Payload([0], format: .binary))))
        let json = String(decoding: try bytes.json(), as: UTF8.self)
        let other = json.replacing("AA==", with: text)
        #expect(other != json)
        #expect(throws: CommandFailure.self) { try UpstreamEvent(json: Array(other.utf8)) }
    }

    @Test(arguments: [
        "{}", #"{"refused":"no"}"#, #"{"user":1}"#, "", " ", "[]", "null", #""x""#, "{", "{}{}",
        #"{"refused"#, #"{"refused":"forbidden""#, #"{"refused":"forbidden","refused":null}"#,
        #"{"r\u0065fused":"forbidden"}"#, #"{"refused":"forbidden",}"#,
    ])
    func `an answer that is none of them is refused, and an empty one is as found`(json: String) {
        let answer = try? ConnectAnswer(json: Array(json.utf8))
        #expect(answer == (json == "{}" ? .asFound : nil))
    }
}
