package import Hub
import HubWire

/// Writes a JSON object member by member, so that payloads that are JSON go into it as they are.
package struct JSONObject {
    private var text: [UInt8] = [UInt8(ascii: "{")]

    package init() {}

    /// The object.
    package var bytes: [UInt8] { text + [UInt8(ascii: "}")] }

    /// Adds a member.
    package mutating func set(_ name: StaticString, _ value: some Encodable) throws {
        set(name, json: try Payload(json: value).bytes)
    }

    /// Adds a member whose value is JSON already.
    package mutating func set(_ name: StaticString, json: [UInt8]) {
        if text.count > 1 { text.append(UInt8(ascii: ",")) }
        text += "\"\(name)\":".utf8
        text += json
    }

    /// Adds a member whose value is bytes, in base64 with padding.
    package mutating func set(_ name: StaticString, base64 bytes: [UInt8]) {
        var json = [UInt8(ascii: "\"")]
        Base64Text.append(bytes, to: &json)
        set(name, json: json + [UInt8(ascii: "\"")])
    }

    /// Adds what a message says: `event`, `sender`, `key`, and `data` or `text`.
    package mutating func set(_ message: HubMessage) throws {
        if let event = message.event { try set("event", event) }
        if let sender = message.sender { try set("sender", sender) }
        if let key = message.key { try set("key", key) }
        switch message.payload.format {
        case .json: set("data", json: message.payload.bytes)
        case .text, .binary: try set("text", message.payload.text)
        }
    }

    /// As `set`, but for what cannot be sent without being changed.
    ///
    /// - Throws: ``CommandFailure/Reason/malformed`` for bytes that are neither text nor JSON.
    mutating func setSaid(_ message: HubMessage) throws {
        guard message.payload.format != .binary else {
            throw CommandFailure(.malformed, "a message has to be text or JSON")
        }
        try set(message)
    }

    /// Adds a place in a topic: `epoch` and `offset`.
    package mutating func set(_ position: TopicPosition) throws {
        try set("epoch", "\(position.epoch)")
        try set("offset", position.offset)
    }

    /// An array of what was written elsewhere.
    package static func array(_ items: [[UInt8]]) -> [UInt8] {
        Array(
            [
                [UInt8(ascii: "[")], Array(items.joined(separator: [UInt8(ascii: ",")])),
                [UInt8(ascii: "]")],
            ].joined())
    }
}
