package import Hub
import HubWire

/// Reads an answer of the API member by member, so that the messages in it are taken out as they stand.
package struct JSONFields {
    private let text: [UInt8]

    package init(_ text: [UInt8]) {
        self.text = text
    }

    /// As ``init(_:)``, of what has to be one JSON object in UTF-8 with each name once: where a member that
    /// is missing means something, what is no object must not mean it.
    package init(checking text: [UInt8]) throws(CommandFailure) {
        guard StrictJSON.isObject(text) else {
            throw CommandFailure(.malformed, "it is not one JSON object in UTF-8")
        }
        self.init(text)
    }

    /// The member of that name; `nil` where there is none, or it is `null`.
    package func value<Value: Decodable>(
        _ name: StaticString, as type: Value.Type = Value.self
    ) throws(CommandFailure) -> Value? {
        guard let json = raw(name) else { return nil }
        do {
            return try Payload(json, format: .json).decoded(as: type)
        } catch {
            throw CommandFailure(.malformed, "\(name) is not what it has to be")
        }
    }

    /// The member of that name, which has to be there.
    package func needed<Value: Decodable>(
        _ name: StaticString, as type: Value.Type = Value.self
    ) throws(CommandFailure) -> Value {
        guard let value = try value(name, as: type) else {
            throw CommandFailure(.malformed, "\(name) is missing")
        }
        return value
    }

    /// The bytes of a member in base64 with padding; `nil` where there is none.
    package func bytes(_ name: StaticString) throws(CommandFailure) -> [UInt8]? {
        guard let text: String = try value(name) else { return nil }
        guard let bytes = Base64Text.decode(text) else {
            throw CommandFailure(.malformed, "\(name) is not base64")
        }
        return bytes
    }

    /// The elements of a member that is an array, as they stand.
    package func elements(_ name: StaticString) -> [JSONFields] {
        raw(name).map { JSONMember.elements(of: $0).map { JSONFields($0) } } ?? []
    }

    /// The place that `epoch` and `offset` name; `nil` where there is no epoch.
    package func position() throws(CommandFailure) -> TopicPosition? {
        guard let text: String = try value("epoch") else { return nil }
        guard let epoch = Epoch(text) else {
            throw CommandFailure(.malformed, "epoch is not one")
        }
        return TopicPosition(epoch: epoch, offset: try value("offset") ?? 0)
    }

    /// What ``JSONObject/set(_:)`` wrote of a message.
    package func message() throws(CommandFailure) -> HubMessage {
        let payload: Payload
        if let data = raw("data") {
            payload = Payload(data, format: .json)
        } else {
            payload = Payload(text: try needed("text"))
        }
        return HubMessage(
            payload, event: try value("event"), sender: try value("sender"),
            key: try value("key"))
    }

    private func raw(_ name: StaticString) -> [UInt8]? {
        JSONMember.value(of: name, in: text).flatMap { $0.elementsEqual("null".utf8) ? nil : $0 }
    }
}
