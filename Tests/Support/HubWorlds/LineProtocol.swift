package import Hub
package import WSFrame

/// A protocol of lines for tests: a word, numbers and names, and a text that goes to the end.
///
/// Client: `sub ID TOPIC [EPOCH OFFSET]`, `unsub ID TOPIC`, `pub ID TOPIC CLASS KEY TEXT`,
/// `msg EVENT TEXT`, `req ID EVENT TEXT`, `rep ID TEXT`, `ack ID…`, `who ID TOPIC`,
/// `hist ID TOPIC EPOCH OFFSET MAX`, `refresh ID TOKEN`, `ping ID`.
package struct LineProtocol: Hub.ClientProtocol {
    package init() {}

    package var subprotocol: String? { "lines.1" }

    package func encode(_ envelope: ServerEnvelope) -> PreparedMessage? {
        line(envelope).map { PreparedMessage(text: $0) }
    }

    private func line(_ envelope: ServerEnvelope) -> String? {
        switch envelope {
        case .welcome: "welcome"
        case .publication(let topic, let message, let position):
            "pub \(topic) \(position?.offset ?? 0) \(message.sender ?? "-") \(message.payload.text)"
        case .message(let message): "msg \(message.event ?? "-") \(message.payload.text)"
        case .request(let id, let message):
            "req \(id.rawValue) \(message.event ?? "-") \(message.payload.text)"
        case .reply(let id, let payload): "rep \(id.rawValue) \(payload.text)"
        case .inbox(let id, let message): "inbox \(id) \(message.payload.text)"
        case .subscribed(let answer):
            "sub \(answer.topic) \(answer.position.epoch) \(answer.position.offset) \(answer.isRecovered)"
        case .unsubscribed(_, let topic): "unsub \(topic)"
        case .published(let id, let position): "published \(id.rawValue) \(position?.offset ?? 0)"
        case .presence(let topic, let changes):
            "who \(topic) \(changes.count) +\(changes.joined.joined(separator: ",")) -\(changes.left.joined(separator: ","))"
        case .members(_, let topic, let users, let count):
            "members \(topic) \(count) \(users.joined(separator: ","))"
        case .history(_, let topic, let page):
            "hist \(topic) \(page.isRecovered) \(page.hasMore) \(page.messages.map(\.message.payload.text).joined(separator: ","))"
        case .failure(let failure):
            "fail \(failure.request?.rawValue ?? 0) \(failure.code.rawValue)"
        case .reconnect(let delay): "reconnect \(Int(delay / .milliseconds(1)))"
        case .token: nil
        case .pong(let id): "pong \(id.rawValue)"
        }
    }

    package func decode(
        _ message: RawSpan, kind: MessageKind
    ) throws(ClientProtocolError) -> ClientEnvelope {
        let text = message.withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
        let words = text.split(separator: " ").map(String.init)
        func word(_ index: Int) -> String { index < words.count ? words[index] : "" }
        func rest(_ index: Int) -> Payload {
            let parts = text.split(
                separator: " ", maxSplits: index, omittingEmptySubsequences: true)
            let rest = parts.count > index ? String(parts[index]) : ""
            return Payload(Array(rest.utf8), format: rest.hasPrefix("{") ? .json : .text)
        }
        func position(_ index: Int) -> TopicPosition? {
            guard let epoch = Epoch(word(index)), let offset = UInt64(word(index + 1)) else {
                return nil
            }
            return TopicPosition(epoch: epoch, offset: offset)
        }
        let id = RequestID(rawValue: UInt32(word(1)) ?? 0)
        switch word(0) {
        case "sub": return .subscribe(id, topic: word(2), after: position(3))
        case "unsub": return .unsubscribe(id, topic: word(2))
        case "pub":
            let classes: [String: Publication.Durability] = [
                "stored": .stored, "transient": .transient, "volatile": .volatile,
            ]
            return .publish(
                .init(
                    request: id, topic: word(2), message: HubMessage(rest(5)),
                    durability: classes[word(3)] ?? .stored,
                    idempotencyKey: word(4) == "-" ? nil : word(4)))
        case "msg": return .message(HubMessage(rest(2), event: word(1)))
        case "req": return .request(id, HubMessage(rest(3), event: word(2)))
        case "rep": return .reply(id, rest(2))
        case "ack":
            return .acknowledge(
                words.dropFirst().compactMap { UInt64($0).map(InboxID.init(rawValue:)) })
        case "who": return .members(id, topic: word(2))
        case "hist":
            return .history(
                id, topic: word(2), after: position(3), messagesMax: Int(word(5)) ?? 0)
        case "refresh": return .refresh(id, credentials: word(2))
        case "ping": return .ping(id)
        case "bad": throw ClientProtocolError("bad line", closeCode: .protocolError)
        default: throw ClientProtocolError("unknown word")
        }
    }
}
