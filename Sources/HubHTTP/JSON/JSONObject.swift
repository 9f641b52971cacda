import Hub

/// Writes a JSON object member by member, so that payloads that are JSON go into it as they are.
struct JSONObject {
    private var text: [UInt8] = [UInt8(ascii: "{")]

    /// The object.
    var bytes: [UInt8] { text + [UInt8(ascii: "}")] }

    /// Adds a member.
    mutating func set(_ name: StaticString, _ value: some Encodable) throws {
        set(name, json: try Payload(json: value).bytes)
    }

    /// Adds a member whose value is JSON already.
    mutating func set(_ name: StaticString, json: [UInt8]) {
        if text.count > 1 { text.append(UInt8(ascii: ",")) }
        text += "\"\(name)\":".utf8
        text += json
    }

    /// Adds what a message says: `event`, `sender`, `key`, and `data` or `text`.
    mutating func set(_ message: HubMessage) throws {
        if let event = message.event { try set("event", event) }
        if let sender = message.sender { try set("sender", sender) }
        if let key = message.key { try set("key", key) }
        switch message.payload.format {
        case .json: set("data", json: message.payload.bytes)
        case .text, .binary: try set("text", message.payload.text)
        }
    }

    /// An array of what was written elsewhere.
    static func array(_ items: [[UInt8]]) -> [UInt8] {
        Array(
            [
                [UInt8(ascii: "[")], Array(items.joined(separator: [UInt8(ascii: ",")])),
                [UInt8(ascii: "]")],
            ].joined())
    }
}
