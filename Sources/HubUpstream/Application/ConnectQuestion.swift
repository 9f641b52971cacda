public import Hub
public import HubHTTP
import WSFrame
import WSTransport

/// Asks the application about a client that wants a session, or to keep the one it has.
public struct ConnectQuestion: APIMessage {
    /// A line of the request's header.
    public struct Field: Hashable, Sendable {
        /// As it came.
        public var name: String
        /// As it came.
        public var value: String

        /// Creates a line.
        public init(name: String, value: String) {
            self.name = name
            self.value = value
        }
    }

    /// What the client shows.
    public enum Shown: Hashable, Sendable {
        /// The request for a session: its target, with the query, and its header.
        case request(target: String, fields: [Field])
        /// A token, to renew what the session has.
        case renewal(token: String)
    }

    /// What the client shows.
    public var shown: Shown
    /// Where the client is: address and port.
    public var address: String
    /// Who the client was found to be so far; of a renewal, who it is.
    public var identity: Identity?

    /// Creates a question, for tests of applications.
    public init(_ shown: Shown, from address: String, identity: Identity? = nil) {
        self.shown = shown
        self.address = address
        self.identity = identity
    }

    init(_ credentials: Credentials, identity: Identity?) {
        switch credentials.shown {
        case .request(let request):
            let fields = (0..<request.headersCount).map { index in
                let header = request.header(at: index)
                return Field(name: header.name, value: header.value)
            }
            shown = .request(target: request.target, fields: fields)
        case .renewal(let token, _):
            shown = .renewal(token: token)
        }
        address = "\(credentials.address)"
        self.identity = identity
    }

    public init(json: [UInt8]) throws(CommandFailure) {
        let fields = JSONFields(json)
        address = try fields.needed("address")
        identity = try fields.identity()
        if let token: String = try fields.value("token") {
            shown = .renewal(token: token)
            return
        }
        var lines: [Field] = []
        for line in fields.elements("header") {
            lines.append(Field(name: try line.needed("name"), value: try line.needed("value")))
        }
        shown = .request(target: try fields.needed("target"), fields: lines)
    }

    public func json() throws(CommandFailure) -> [UInt8] {
        try Self.object { object in
            try object.set("address", address)
            switch shown {
            case .request(let target, let fields):
                try object.set("target", target)
                let lines = try fields.map { line in
                    try Self.object { item in
                        try item.set("name", line.name)
                        try item.set("value", line.value)
                    }
                }
                object.set("header", json: JSONObject.array(lines))
            case .renewal(let token):
                try object.set("token", token)
            }
            if let identity { try object.set(identity) }
        }
    }
}

/// What the application says of a client that wants a session.
public enum ConnectAnswer: APIMessage {
    /// The client is who it was found to be so far, or nobody, and gets a session: `{}`.
    case asFound
    /// The client is this user: `{"user": …}`, with `device`, `attributes`, `topics` and `expires` (in
    /// milliseconds since 1970).
    case accepted(Identity)
    /// The client gets none: `{"refused": "forbidden"}`, with `text` and `retry_after` (in milliseconds).
    case refused(AdmissionRefusal)

    private static let reasons: [(name: String, reason: AdmissionRefusal.Reason)] = [
        ("unauthenticated", .unauthenticated), ("credentials_expired", .credentialsExpired),
        ("forbidden", .forbidden), ("too_many", .tooMany), ("overloaded", .overloaded),
        ("draining", .draining),
    ]

    public init(json: [UInt8]) throws(CommandFailure) {
        // Nobody is let in by an answer that was cut off, or is none.
        let fields = try JSONFields(checking: json)
        if let name: String = try fields.value("refused") {
            guard let reason = Self.reasons.first(where: { $0.name == name })?.reason else {
                throw CommandFailure(.malformed, "the refusal is not known")
            }
            let delay: Int64? = try fields.value("retry_after")
            self = .refused(
                AdmissionRefusal(
                    reason, try fields.value("text") ?? "",
                    retryAfter: delay.map { .milliseconds($0) }))
        } else if let identity = try fields.identity() {
            self = .accepted(identity)
        } else {
            self = .asFound
        }
    }

    public func json() throws(CommandFailure) -> [UInt8] {
        try Self.object { object in
            switch self {
            case .asFound:
                break
            case .accepted(let identity):
                try object.set(identity)
            case .refused(let refusal):
                let name = Self.reasons.first { $0.reason == refusal.reason }?.name
                try object.set("refused", name ?? "forbidden")
                if !refusal.text.isEmpty { try object.set("text", refusal.text) }
                if let delay = refusal.retryAfter {
                    // Saturates, where a division would trap.
                    let end = Timestamp(milliseconds: 0) + delay
                    try object.set("retry_after", end.milliseconds)
                }
            }
        }
    }
}

extension JSONObject {
    fileprivate mutating func set(_ identity: Identity) throws {
        try set("user", identity.user)
        if let device = identity.device { try set("device", device) }
        if !identity.attributes.isEmpty { try set("attributes", identity.attributes) }
        if !identity.topics.isEmpty { try set("topics", identity.topics.map(\.description)) }
        if let expiry = identity.expiry { try set("expires", expiry.milliseconds) }
    }
}

extension JSONFields {
    fileprivate func identity() throws(CommandFailure) -> Identity? {
        guard let user: String = try value("user") else { return nil }
        let topics: [String] = try value("topics") ?? []
        let expires: Int64? = try value("expires")
        return Identity(
            user: user, device: try value("device"), attributes: try value("attributes") ?? [:],
            topics: topics.map { TopicPattern($0) },
            expiry: expires.map { Timestamp(milliseconds: $0) })
    }
}
