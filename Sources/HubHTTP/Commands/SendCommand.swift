public import Hub

/// Sends to a user; answered by ``SendAnswer``.
public struct SendCommand: APIMessage {
    /// How it gets there.
    public enum Delivery: Hashable, Sendable {
        /// Into the user's inbox, whose messages are sent until a device has acknowledged them.
        ///
        /// For so long it is worth that, in whole seconds, or as long as the hub's policy says; under
        /// the idempotency key it may be tried again.
        case inbox(timeToLive: Duration? = nil, idempotencyKey: String? = nil)
        /// To the devices that are there, or that one of them, and kept by nobody.
        case now(device: String? = nil)
    }

    /// Whom.
    public var user: String
    /// What is said: text or JSON. Its sender is not sent.
    public var message: HubMessage
    /// How it gets there.
    public var delivery: Delivery

    /// Creates a command.
    public init(user: String, _ message: HubMessage, delivery: Delivery = .inbox()) {
        self.user = user
        self.message = message
        self.delivery = delivery
    }

    private struct Body: Decodable {
        let user: String
        let device: String?
        let delivery: String?
        let ttl: Int?
        let idempotencyKey: String?

        private enum CodingKeys: String, CodingKey {
            case user, device, delivery, ttl
            case idempotencyKey = "idempotency_key"
        }
    }

    public init(json: [UInt8]) throws(CommandFailure) {
        let body: Body = try Self.body(of: json)
        let message = try MessageBody.message(in: json)
        guard !body.user.isEmpty else { throw CommandFailure(.malformed, "a user is needed") }
        switch body.delivery ?? "inbox" {
        case "now":
            guard body.ttl == nil, body.idempotencyKey == nil else {
                throw CommandFailure(
                    .malformed, "ttl and idempotency_key are of inboxes, and delivery is now")
            }
            self.init(user: body.user, message, delivery: .now(device: body.device))
        case "inbox":
            guard body.device == nil else {
                throw CommandFailure(.malformed, "an inbox is its user's, not one device's")
            }
            guard body.ttl ?? 1 > 0 else {
                throw CommandFailure(.malformed, "ttl has to be positive")
            }
            self.init(
                user: body.user, message,
                delivery: .inbox(
                    timeToLive: body.ttl.map { .seconds($0) },
                    idempotencyKey: body.idempotencyKey))
        default:
            throw CommandFailure(.malformed, "delivery has to be inbox or now")
        }
    }

    public func json() throws(CommandFailure) -> [UInt8] {
        try Self.object { object in
            try object.set("user", user)
            try object.setSaid(message)
            switch delivery {
            case .inbox(let timeToLive, let idempotencyKey):
                if let timeToLive { try object.set("ttl", timeToLive.secondsRoundedUp) }
                if let idempotencyKey { try object.set("idempotency_key", idempotencyKey) }
            case .now(let device):
                try object.set("delivery", "now")
                if let device { try object.set("device", device) }
            }
        }
    }
}

/// What became of a message to a user.
public enum SendAnswer: APIMessage {
    /// The store has it, under that mark.
    case stored(InboxID)
    /// The store has it already, under that mark.
    case duplicate(InboxID)
    /// It was sent to who is there.
    case sent

    public init(json: [UInt8]) throws(CommandFailure) {
        let fields = JSONFields(json)
        guard let id: UInt64 = try fields.value("id") else {
            self = .sent
            return
        }
        let isDuplicate: Bool = try fields.value("duplicate") ?? false
        self = isDuplicate ? .duplicate(InboxID(rawValue: id)) : .stored(InboxID(rawValue: id))
    }

    public func json() throws(CommandFailure) -> [UInt8] {
        try Self.object { object in
            switch self {
            case .stored(let id):
                try object.set("id", id.rawValue)
            case .duplicate(let id):
                try object.set("id", id.rawValue)
                try object.set("duplicate", true)
            case .sent:
                break
            }
        }
    }
}

/// Sends to everybody that is there; answered by ``DoneAnswer``.
public struct BroadcastCommand: APIMessage {
    /// What is said: text or JSON. Its sender is not sent.
    public var message: HubMessage
    /// Only to those who subscribe to that topic; `nil` for all.
    public var topic: String?
    /// Users that are left out.
    public var exceptUsers: [String]

    /// Creates a command.
    public init(_ message: HubMessage, topic: String? = nil, exceptUsers: [String] = []) {
        self.message = message
        self.topic = topic
        self.exceptUsers = exceptUsers
    }

    private struct Body: Decodable {
        let topic: String?
        let exceptUsers: [String]?

        private enum CodingKeys: String, CodingKey {
            case topic
            case exceptUsers = "except_users"
        }
    }

    public init(json: [UInt8]) throws(CommandFailure) {
        let body: Body = try Self.body(of: json)
        self.init(
            try MessageBody.message(in: json), topic: body.topic,
            exceptUsers: body.exceptUsers ?? [])
    }

    public func json() throws(CommandFailure) -> [UInt8] {
        try Self.object { object in
            try object.setSaid(message)
            if let topic { try object.set("topic", topic) }
            if !exceptUsers.isEmpty { try object.set("except_users", exceptUsers) }
        }
    }
}

extension Duration {
    /// In whole seconds, at least 1.
    var secondsRoundedUp: Int64 {
        let (seconds, attoseconds) = components
        return max(1, seconds + (attoseconds > 0 && seconds < .max ? 1 : 0))
    }
}
