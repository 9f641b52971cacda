/// Closes a user's sessions with code 4403; answered by ``KickAnswer``.
public struct KickCommand: APIMessage {
    /// Whose sessions are closed.
    public enum Whom: Hashable, Sendable {
        /// All of the user's; for so long, in whole seconds, the user is not let in again.
        case user(String, banned: Duration? = nil)
        /// Those of one device of the user.
        case device(String, of: String)
    }

    /// Whose sessions are closed.
    public var whom: Whom
    /// What they are told, at most 123 bytes.
    public var reason: String

    /// Creates a command.
    public init(_ whom: Whom, reason: String = "") {
        self.whom = whom
        self.reason = reason
    }

    private struct Body: Decodable {
        let user: String
        let device: String?
        let reason: String?
        let banSeconds: Int?

        private enum CodingKeys: String, CodingKey {
            case user, device, reason
            case banSeconds = "ban_seconds"
        }
    }

    public init(json: [UInt8]) throws(CommandFailure) {
        let body: Body = try Self.body(of: json)
        if let seconds = body.banSeconds {
            guard body.device == nil, seconds > 0 else {
                throw CommandFailure(.malformed, "a ban is a user's, and of a positive time")
            }
        }
        let whom: Whom =
            if let device = body.device {
                .device(device, of: body.user)
            } else {
                .user(body.user, banned: body.banSeconds.map { .seconds($0) })
            }
        self.init(whom, reason: body.reason ?? "")
    }

    public func json() throws(CommandFailure) -> [UInt8] {
        try Self.object { object in
            switch whom {
            case .user(let user, let time):
                try object.set("user", user)
                if let time { try object.set("ban_seconds", time.secondsRoundedUp) }
            case .device(let device, let user):
                try object.set("user", user)
                try object.set("device", device)
            }
            if !reason.isEmpty { try object.set("reason", reason) }
        }
    }
}

/// How many sessions a kick found.
public struct KickAnswer: APIMessage {
    /// Sessions that are closed.
    public var sessions: Int

    /// Creates an answer.
    public init(sessions: Int) {
        self.sessions = sessions
    }

    public init(json: [UInt8]) throws(CommandFailure) {
        sessions = try JSONFields(json).needed("sessions")
    }

    public func json() throws(CommandFailure) -> [UInt8] {
        try Self.object { try $0.set("sessions", sessions) }
    }
}
