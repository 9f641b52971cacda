public import Hub
public import WSFrame

/// What push-server and its devices say: a JSON object a message, the little of the hub's envelopes that
/// devices need.
///
/// From the server: `welcome` (`user`), `inbox` (`inbox`, message), `message` (message), `publication`
/// (`topic`, `epoch`, `offset`, message), `subscribed` (`topic`, `epoch`, `offset`, `recovered`), `failure`
/// (`code`, `reason`), `reconnect` (`after`, in milliseconds) and `pong`. A message is `event`, `from`,
/// `key`, and `json` or `text`. From devices: `acknowledge` (`ids`, the `inbox` marks that have arrived),
/// `subscribe` (`topic`), `message` (`text`, and an `event`) for the application, and `ping`.
public struct DeviceProtocol: Hub.ClientProtocol {
    /// `push.v1.json`
    public static let name = "push.v1.json"

    /// The longest name of a device's event.
    private static let nameBytesMax = 256

    /// ``name``
    public var subprotocol: String? { Self.name }

    /// Creates the protocol.
    public init() {}

    public func encode(_ envelope: ServerEnvelope) -> PreparedMessage? {
        Self.fields(of: envelope).map { fields in
            PreparedMessage(text: "{" + fields.joined(separator: ",") + "}")
        }
    }

    public func decode(
        _ message: RawSpan, kind: MessageKind
    ) throws(ClientProtocolError) -> ClientEnvelope {
        let said: Said
        do {
            said = try Payload(copying: message, kind: kind).decoded()
        } catch {
            throw ClientProtocolError("not a JSON object of this protocol")
        }
        switch (said.type, said.ids, said.topic) {
        case ("acknowledge", let ids?, _):
            return .acknowledge(ids.compactMap { UInt64($0).map(InboxID.init(rawValue:)) })
        case ("subscribe", _, let topic?):
            return .subscribe(RequestID(rawValue: 0), topic: topic, after: nil)
        case ("message", _, _):
            guard let text = said.text, said.event?.utf8.count ?? 0 <= Self.nameBytesMax else {
                throw ClientProtocolError("a message has a text, and a short event")
            }
            return .message(HubMessage(Payload(text: text), event: said.event))
        case ("ping", _, _):
            return .ping(RequestID(rawValue: 0))
        default:
            throw ClientProtocolError("acknowledge, subscribe, message or ping was expected")
        }
    }

    private struct Said: Decodable {
        let type: String
        let ids: [String]?
        let topic: String?
        let event: String?
        let text: String?
    }

    // MARK: - The device's side

    /// What a device has to know of a message.
    public struct Heard: Decodable, Sendable {
        /// What it is.
        public let type: String
        /// Its mark, where it is of the inbox.
        public let inbox: String?
        /// When to come back, in milliseconds, where the server goes.
        public let after: Int?
    }

    /// Reads what the server says; `nil` where that is something else.
    public static func heard(_ message: RawSpan, kind: MessageKind) -> Heard? {
        // A server of another protocol is not understood, whatever it says.
        try? Payload(copying: message, kind: kind).decoded(as: Heard.self)
    }

    /// Says that messages of the inbox have arrived.
    public static func acknowledgement(of marks: [String]) -> String {
        let list = marks.map { quoted($0) }.joined(separator: ",")
        return #"{"type":"acknowledge","ids":[\#(list)]}"#
    }

    /// Asks for a topic.
    public static func subscription(to topic: String) -> String {
        #"{"type":"subscribe","topic":\#(quoted(topic))}"#
    }

    // MARK: - Fields

    private static func fields(of envelope: ServerEnvelope) -> [String]? {
        switch envelope {
        case .welcome(let welcome):
            [type("welcome")] + (welcome.user.map { [field("user", $0)] } ?? [])
        case .inbox(let id, let message):
            [type("inbox"), field("inbox", "\(id)")] + fields(of: message)
        case .message(let message):
            [type("message")] + fields(of: message)
        case .publication(let topic, let message, let position):
            [type("publication"), field("topic", topic)] + fields(of: position)
                + fields(of: message)
        case .subscribed(let answer):
            [type("subscribed"), field("topic", answer.topic)] + fields(of: answer.position)
                + ["\"recovered\":\(answer.isRecovered)"]
        case .failure(let failure):
            [type("failure"), "\"code\":\(failure.code.rawValue)", field("reason", failure.text)]
        case .reconnect(let delay):
            [type("reconnect"), "\"after\":\(Int(delay / .milliseconds(1)))"]
        case .pong:
            [type("pong")]
        case .request, .reply, .unsubscribed, .published, .presence, .members, .history, .token:
            nil
        }
    }

    private static func fields(of position: TopicPosition?) -> [String] {
        guard let position else { return [] }
        return [field("epoch", "\(position.epoch)"), "\"offset\":\(position.offset)"]
    }

    private static func fields(of message: HubMessage) -> [String] {
        var fields: [String] = []
        if let event = message.event { fields.append(field("event", event)) }
        if let sender = message.sender { fields.append(field("from", sender)) }
        if let key = message.key { fields.append(field("key", key)) }
        switch message.payload.format {
        case .json: fields.append("\"json\":\(message.payload.text)")
        case .text, .binary: fields.append(field("text", message.payload.text))
        }
        return fields
    }

    private static func type(_ name: String) -> String { field("type", name) }

    private static func field(_ name: String, _ text: String) -> String {
        "\"\(name)\":\(quoted(text))"
    }

    private static func quoted(_ text: String) -> String {
        do {
            return try Payload(json: text).text
        } catch {
            preconditionFailure("a text is no JSON: \(error)")
        }
    }
}
