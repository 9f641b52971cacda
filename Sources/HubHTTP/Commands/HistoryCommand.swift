public import Hub

/// Asks what was published to a topic; answered by ``HistoryAnswer``.
public struct HistoryCommand: APIMessage {
    /// The topic's name.
    public var topic: String
    /// Only what came after that place, the oldest first; `nil` for the newest.
    public var position: TopicPosition?
    /// At most so many messages, at most ``PushAPI/Configuration/itemsMax`` and 1 MiB of them; `nil`
    /// for 100.
    public var limit: Int?

    /// Creates a command.
    public init(topic: String, after position: TopicPosition? = nil, limit: Int? = nil) {
        self.topic = topic
        self.position = position
        self.limit = limit
    }

    private struct Body: Decodable {
        let topic: String
        let epoch: String?
        let offset: UInt64?
        let limit: Int?
    }

    public init(json: [UInt8]) throws(CommandFailure) {
        let body: Body = try Self.body(of: json)
        try self.init(
            topic: body.topic, epoch: body.epoch, offset: body.offset, limit: body.limit)
    }

    init(
        topic: String?, epoch: String?, offset: UInt64?, limit: Int?
    ) throws(CommandFailure) {
        guard let topic else { throw CommandFailure(.malformed, "topic is needed") }
        self.topic = topic
        self.limit = limit
        guard let epoch else {
            guard offset == nil else {
                throw CommandFailure(.malformed, "an offset is of no use without its epoch")
            }
            return
        }
        guard let epoch = Epoch(epoch) else { throw CommandFailure(.malformed, "epoch is not one") }
        position = TopicPosition(epoch: epoch, offset: offset ?? 0)
    }

    public func json() throws(CommandFailure) -> [UInt8] {
        try Self.object { object in
            try object.set("topic", topic)
            if let position { try object.set(position) }
            if let limit { try object.set("limit", limit) }
        }
    }
}

/// What was published to a topic.
public struct HistoryAnswer: APIMessage {
    /// One message.
    public struct Message: Hashable, Sendable {
        /// Its place in the topic.
        public var offset: UInt64
        /// When it was published.
        public var time: Timestamp
        /// What was said.
        public var message: HubMessage

        /// Creates a message.
        public init(offset: UInt64, time: Timestamp, message: HubMessage) {
            self.offset = offset
            self.time = time
            self.message = message
        }
    }

    /// The topic's name.
    public var topic: String
    /// Just after the last message of the topic.
    public var end: TopicPosition
    /// Whether ``messages`` are all that came after the place asked for.
    public var isRecovered: Bool
    /// Whether there is more after ``messages``.
    public var hasMore: Bool
    /// The oldest first.
    public var messages: [Message]

    /// Creates an answer.
    public init(
        topic: String, end: TopicPosition, isRecovered: Bool, hasMore: Bool, messages: [Message]
    ) {
        self.topic = topic
        self.end = end
        self.isRecovered = isRecovered
        self.hasMore = hasMore
        self.messages = messages
    }

    public init(json: [UInt8]) throws(CommandFailure) {
        let fields = JSONFields(json)
        guard let end = try fields.position() else {
            throw CommandFailure(.malformed, "epoch is missing")
        }
        var messages: [Message] = []
        for item in fields.elements("messages") {
            messages.append(
                Message(
                    offset: try item.needed("offset"),
                    time: Timestamp(milliseconds: try item.needed("time")),
                    message: try item.message()))
        }
        self.init(
            topic: try fields.needed("topic"), end: end,
            isRecovered: try fields.needed("recovered"), hasMore: try fields.needed("more"),
            messages: messages)
    }

    public func json() throws(CommandFailure) -> [UInt8] {
        try Self.object { object in
            try object.set("topic", topic)
            try object.set(end)
            try object.set("recovered", isRecovered)
            try object.set("more", hasMore)
            let items = try messages.map { stored in
                try Self.object { item in
                    try item.set("offset", stored.offset)
                    try item.set("time", stored.time.milliseconds)
                    try item.set(stored.message)
                }
            }
            object.set("messages", json: JSONObject.array(items))
        }
    }
}
