/// Asks for sessions; answered by ``SessionsAnswer``.
public enum SessionsCommand: APIMessage {
    /// How many there are.
    case count
    /// A user's.
    case user(String)

    private struct Body: Decodable {
        let user: String?
    }

    public init(json: [UInt8]) throws(CommandFailure) {
        let body: Body = try Self.body(of: json)
        self.init(of: body.user)
    }

    init(of user: String?) {
        self = user.map { .user($0) } ?? .count
    }

    public func json() throws(CommandFailure) -> [UInt8] {
        try Self.object { object in
            if case .user(let name) = self { try object.set("user", name) }
        }
    }
}

/// Sessions that there are.
public enum SessionsAnswer: APIMessage {
    /// One session.
    public struct Known: Hashable, Sendable {
        /// Its name, as `HubServer` describes it.
        public var id: String
        /// On which of the user's devices.
        public var device: String?

        /// Creates a session's description.
        public init(id: String, device: String?) {
            self.id = id
            self.device = device
        }
    }

    /// There are so many.
    case count(Int)
    /// These are the user's, the oldest first.
    case user(String, [Known])

    public init(json: [UInt8]) throws(CommandFailure) {
        let fields = JSONFields(json)
        guard let user: String = try fields.value("user") else {
            self = .count(try fields.needed("count"))
            return
        }
        var sessions: [Known] = []
        for item in fields.elements("sessions") {
            sessions.append(
                Known(id: try item.needed("id"), device: try item.value("device")))
        }
        self = .user(user, sessions)
    }

    public func json() throws(CommandFailure) -> [UInt8] {
        try Self.object { object in
            switch self {
            case .count(let count):
                try object.set("count", count)
            case .user(let name, let sessions):
                try object.set("user", name)
                let items = try sessions.map { session in
                    try Self.object { item in
                        try item.set("id", session.id)
                        if let device = session.device { try item.set("device", device) }
                    }
                }
                object.set("sessions", json: JSONObject.array(items))
            }
        }
    }
}
