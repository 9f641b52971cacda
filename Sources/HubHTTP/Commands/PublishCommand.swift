public import Hub

/// Publishes to a topic; answered by ``PublishAnswer`` once the store has it.
public struct PublishCommand: APIMessage {
    /// The topic's name.
    public var topic: String
    /// What is said: text or JSON. Its sender is not sent.
    public var message: HubMessage
    /// Whether the topic keeps it.
    public var durability: Publication.Durability
    /// Names the publication, so that it may be tried again; see ``/Hub/Publication/idempotencyKey``.
    public var idempotencyKey: String?

    /// Creates a command.
    public init(
        topic: String, _ message: HubMessage, durability: Publication.Durability = .stored,
        idempotencyKey: String? = nil
    ) {
        self.topic = topic
        self.message = message
        self.durability = durability
        self.idempotencyKey = idempotencyKey
    }

    private struct Body: Decodable {
        let topic: String
        let durability: String?
        let idempotencyKey: String?

        private enum CodingKeys: String, CodingKey {
            case topic, durability
            case idempotencyKey = "idempotency_key"
        }
    }

    public init(json: [UInt8]) throws(CommandFailure) {
        let body: Body = try Self.body(of: json)
        guard let durability = Self.durability(body.durability ?? "stored") else {
            throw CommandFailure(
                .malformed, "durability has to be stored, transient or volatile")
        }
        self.init(
            topic: body.topic, try MessageBody.message(in: json), durability: durability,
            idempotencyKey: body.idempotencyKey)
    }

    public func json() throws(CommandFailure) -> [UInt8] {
        try Self.object { object in
            try object.set("topic", topic)
            try object.setSaid(message)
            if durability != .stored { try object.set("durability", "\(durability)") }
            if let idempotencyKey { try object.set("idempotency_key", idempotencyKey) }
        }
    }

    private static func durability(_ name: String) -> Publication.Durability? {
        switch name {
        case "stored": .stored
        case "transient": .transient
        case "volatile": .volatile
        default: nil
        }
    }
}

/// Where a publication stands.
public struct PublishAnswer: APIMessage {
    /// Its place in the topic; `nil` where the topic does not keep it.
    public var position: TopicPosition?

    /// Creates an answer.
    public init(position: TopicPosition?) {
        self.position = position
    }

    public init(json: [UInt8]) throws(CommandFailure) {
        position = try JSONFields(json).position()
    }

    public func json() throws(CommandFailure) -> [UInt8] {
        try Self.object { object in
            if let position { try object.set(position) }
        }
    }
}
