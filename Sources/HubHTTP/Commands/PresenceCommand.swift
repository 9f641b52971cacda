/// Asks who is there; answered by ``PresenceAnswer``.
public enum PresenceCommand: APIMessage {
    /// Who is in a topic; at most so many users are named, at most
    /// ``PushAPI/Configuration/itemsMax``; `nil` for 100.
    case topic(String, limit: Int? = nil)
    /// Whether a user is there.
    case user(String)

    private struct Body: Decodable {
        let topic: String?
        let user: String?
        let limit: Int?
    }

    public init(json: [UInt8]) throws(CommandFailure) {
        let body: Body = try Self.body(of: json)
        try self.init(topic: body.topic, user: body.user, limit: body.limit)
    }

    init(topic: String?, user: String?, limit: Int?) throws(CommandFailure) {
        switch (topic, user) {
        case (let topic?, nil):
            self = .topic(topic, limit: limit)
        case (nil, let user?):
            guard limit == nil else {
                throw CommandFailure(.malformed, "limit is of a topic's users")
            }
            self = .user(user)
        case (nil, nil), (.some, .some):
            throw CommandFailure(.malformed, "either topic or user is needed")
        }
    }

    public func json() throws(CommandFailure) -> [UInt8] {
        try Self.object { object in
            switch self {
            case .topic(let name, let limit):
                try object.set("topic", name)
                if let limit { try object.set("limit", limit) }
            case .user(let name):
                try object.set("user", name)
            }
        }
    }
}

/// Who is there.
public enum PresenceAnswer: APIMessage {
    /// So many users are in the topic, some or all of them by name.
    case topic(String, count: Int, users: [String])
    /// The user has so many sessions.
    case user(String, sessions: Int)

    public init(json: [UInt8]) throws(CommandFailure) {
        let fields = JSONFields(json)
        if let user: String = try fields.value("user") {
            self = .user(user, sessions: try fields.needed("sessions"))
        } else {
            self = .topic(
                try fields.needed("topic"), count: try fields.needed("count"),
                users: try fields.needed("users"))
        }
    }

    public func json() throws(CommandFailure) -> [UInt8] {
        try Self.object { object in
            switch self {
            case .topic(let name, let count, let users):
                try object.set("topic", name)
                try object.set("count", count)
                try object.set("users", users)
            case .user(let name, let sessions):
                try object.set("user", name)
                try object.set("online", sessions > 0)
                try object.set("sessions", sessions)
            }
        }
    }
}
