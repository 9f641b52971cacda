import HubWire

extension ClientEnvelope {
    /// The fields that say it.
    var fields: FieldSet {
        switch self {
        case .resume(let resume):
            .made(.resume) {
                $0.set(.token, resume.token)
                $0[.positions] = .fieldSets(
                    resume.positions.map { known in
                        var fields = FieldSet()
                        fields.set(.topic, known.topic)
                        fields.set(known.position)
                        return fields
                    })
            }
        case .subscribe(let id, let topic, let position):
            .made(.subscribe, id) {
                $0.set(.topic, topic)
                $0.set(position)
            }
        case .unsubscribe(let id, let topic):
            .made(.unsubscribe, id) { $0.set(.topic, topic) }
        case .publish(let publish):
            .made(.publish, publish.request) {
                $0.set(.topic, publish.topic)
                $0.set(publish.message)
                $0.set(.durability, publish.durability.word)
                $0.set(.idempotency, publish.idempotencyKey)
            }
        case .message(let message):
            .made(.message) { $0.set(message) }
        case .request(let id, let message):
            .made(.request, id) { $0.set(message) }
        case .reply(let id, let payload):
            .made(.reply, id) { $0.set(payload) }
        case .acknowledge(let ids):
            .made(.acknowledge) { $0[.ids] = .marks(ids.map(\.rawValue)) }
        case .members(let id, let topic):
            .made(.members, id) { $0.set(.topic, topic) }
        case .history(let id, let topic, let position, let messagesMax):
            .made(.history, id) {
                $0.set(.topic, topic)
                $0.set(position)
                $0.set(.max, messagesMax)
            }
        case .refresh(let id, let credentials):
            .made(.refresh, id) { $0.set(.credentials, credentials) }
        case .ping(let id): .made(.ping, id)
        }
    }

    /// Reads what a client said.
    init(_ fields: FieldSet) throws(WireError) {
        switch fields.kind {
        case .resume: self = .resume(try Self.resume(fields))
        case .subscribe:
            self = .subscribe(
                try fields.id(), topic: try fields.name(.topic),
                after: try fields.optionalPosition())
        case .unsubscribe: self = .unsubscribe(try fields.id(), topic: try fields.name(.topic))
        case .publish: self = .publish(try Self.publish(fields))
        case .message: self = .message(try fields.clientMessage())
        case .request: self = .request(try fields.id(), try fields.clientMessage())
        case .reply: self = .reply(try fields.id(), try fields.payload())
        case .acknowledge:
            self = .acknowledge(try fields.marks(.ids).map(InboxID.init(rawValue:)))
        case .members: self = .members(try fields.id(), topic: try fields.name(.topic))
        case .history:
            self = .history(
                try fields.id(), topic: try fields.name(.topic),
                after: try fields.optionalPosition(), messagesMax: try fields.integer(.max))
        case .refresh:
            self = .refresh(try fields.id(), credentials: try fields.text(.credentials))
        case .ping: self = .ping(try fields.id())
        case .welcome, .publication, .inbox, .subscribed, .unsubscribed, .published, .presence,
            .failure, .reconnect, .token, .pong, nil:
            throw WireError("not an envelope of a client")
        }
    }

    private static func resume(_ fields: FieldSet) throws(WireError) -> Resume {
        var positions: [KnownTopic] = []
        for known in fields.fieldSets(.positions) {
            positions.append(
                KnownTopic(topic: try known.name(.topic), position: try known.position()))
        }
        return Resume(token: try fields.text(.token), positions: positions)
    }

    private static func publish(_ fields: FieldSet) throws(WireError) -> Publish {
        var durability = Publication.Durability.stored
        if let word = fields.optionalText(.durability) {
            guard let known = Publication.Durability(word: word) else {
                throw WireError("durability is not stored, transient or volatile")
            }
            durability = known
        }
        return Publish(
            request: try fields.optionalID(), topic: try fields.name(.topic),
            message: try fields.clientMessage(), durability: durability,
            idempotencyKey: try fields.optionalName(.idempotency))
    }
}

extension Publication.Durability {
    /// As the protocol has it; nothing for what a publication is by default.
    fileprivate var word: String? {
        switch self {
        case .stored: nil
        case .transient: "transient"
        case .volatile: "volatile"
        }
    }

    fileprivate init?(word: String) {
        switch word {
        case "stored": self = .stored
        case "transient": self = .transient
        case "volatile": self = .volatile
        default: return nil
        }
    }
}
