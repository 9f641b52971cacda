public import Hub

/// Begins a campaign, or finds the one that was begun under the same id; answered by ``CampaignAnswer``.
public struct CampaignCommand: APIMessage {
    /// Who gets the message.
    public enum Audience: Hashable, Sendable {
        /// Those who are there now.
        case everyone
        /// Those who subscribe to the topic now.
        case topic(String)
        /// The users' devices that are there now.
        case users([String])
        /// The users' inboxes.
        case inboxes(of: [String])
    }

    /// Names the campaign, with 1 to 64 bytes; `nil` for a name that is made.
    public var id: String?
    /// What is said: text or JSON. Its sender is not sent.
    public var message: HubMessage
    /// Who gets it.
    public var audience: Audience
    /// Messages a second; from 1 to ``PushAPI/Configuration/campaignRateMax``.
    public var rate: Int

    /// Creates a command.
    public init(
        _ message: HubMessage, to audience: Audience = .everyone, rate: Int, id: String? = nil
    ) {
        self.message = message
        self.audience = audience
        self.rate = rate
        self.id = id
    }

    private struct Body: Decodable {
        let id: String?
        let rate: Int
        let users: [String]?
        let topic: String?
        let delivery: String?
    }

    public init(json: [UInt8]) throws(CommandFailure) {
        let body: Body = try Self.body(of: json)
        let message = try MessageBody.message(in: json)
        self.init(message, to: try Self.audience(of: body), rate: body.rate, id: body.id)
    }

    private static func audience(of body: Body) throws(CommandFailure) -> Audience {
        guard body.users == nil || body.topic == nil else {
            throw CommandFailure(.malformed, "users and topic exclude each other")
        }
        switch (body.delivery ?? "now", body.users) {
        case ("inbox", let users?):
            return .inboxes(of: users)
        case ("inbox", nil):
            throw CommandFailure(.malformed, "a campaign to inboxes has to name its users")
        case ("now", let users?):
            return .users(users)
        case ("now", nil):
            return body.topic.map { .topic($0) } ?? .everyone
        default:
            throw CommandFailure(.malformed, "delivery has to be inbox or now")
        }
    }

    public func json() throws(CommandFailure) -> [UInt8] {
        try Self.object { object in
            if let id { try object.set("id", id) }
            try object.set("rate", rate)
            try object.setSaid(message)
            switch audience {
            case .everyone:
                break
            case .topic(let name):
                try object.set("topic", name)
            case .users(let names):
                try object.set("users", names)
            case .inboxes(let names):
                try object.set("delivery", "inbox")
                try object.set("users", names)
            }
        }
    }
}

/// Names a campaign that was begun; answered by ``CampaignAnswer``.
public struct CampaignReference: APIMessage {
    /// Its id.
    public var id: String

    /// Creates a reference.
    public init(id: String) {
        self.id = id
    }

    public init(json: [UInt8]) throws(CommandFailure) {
        id = try JSONFields(json).needed("id")
    }

    public func json() throws(CommandFailure) -> [UInt8] {
        try Self.object { try $0.set("id", id) }
    }
}

/// How far a campaign is.
public struct CampaignAnswer: APIMessage {
    /// Its id.
    public var id: String
    /// Messages a second.
    public var rate: Int
    /// How far it is.
    public var progress: Campaign.Progress

    /// Creates an answer.
    public init(id: String, rate: Int, progress: Campaign.Progress) {
        self.id = id
        self.rate = rate
        self.progress = progress
    }

    public init(json: [UInt8]) throws(CommandFailure) {
        let fields = JSONFields(json)
        id = try fields.needed("id")
        rate = try fields.needed("rate")
        progress = Campaign.Progress()
        progress.state = try Self.state(fields.needed("state"))
        progress.total = try fields.needed("total")
        progress.sent = try fields.needed("sent")
        progress.missed = try fields.needed("missed")
    }

    public func json() throws(CommandFailure) -> [UInt8] {
        try Self.object { object in
            try object.set("id", id)
            try object.set("state", "\(progress.state)")
            try object.set("rate", rate)
            try object.set("total", progress.total)
            try object.set("sent", progress.sent)
            try object.set("missed", progress.missed)
        }
    }

    private static func state(_ name: String) throws(CommandFailure) -> Campaign.State {
        switch name {
        case "running": return .running
        case "paused": return .paused
        case "finished": return .finished
        case "cancelled": return .cancelled
        default: throw CommandFailure(.malformed, "the state is not known")
        }
    }
}
