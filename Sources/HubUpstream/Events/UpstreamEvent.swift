public import Hub
public import HubHTTP
import WSTransport

/// Something that happened to a hub's sessions, as the application is told it: JSON, the same by RPC and
/// by webhook.
public struct UpstreamEvent: APIMessage {
    /// What happened.
    public enum Kind: Hashable, Sendable {
        /// A session began.
        case connected
        /// Its client said something that is for the application.
        case message(HubMessage)
        /// The session ended, for that reason.
        case disconnected(Ending)
    }

    /// How a session ended.
    public enum Ending: String, Hashable, Sendable, CaseIterable {
        /// Its client closed it.
        case client
        /// The hub or the application closed it.
        case server
        /// Its client broke the WebSocket protocol.
        case violation
        /// Its client read too slowly.
        case slow
        /// Its client fell silent, or did not answer the close.
        case silent
        /// The connection was lost.
        case lost

        init(_ reason: WebSocketCloseReason) {
            self =
                switch reason {
                case .peer: .client
                case .local: .server
                case .violation: .violation
                case .slowConsumer: .slow
                case .heartbeatTimedOut, .inputStalled, .closeTimedOut: .silent
                case .lost: .lost
                }
        }
    }

    /// Names the event, the same each time it is told, so that one that comes again can be known.
    public var id: String
    /// Counts the events of its session from 1: where one is left out, it was dropped.
    public var number: UInt64
    /// When it happened.
    public var time: Timestamp
    /// The session, as ``/Hub/SessionID`` describes it.
    public var session: String
    /// Whose session it is, when it happened.
    public var user: String?
    /// On which of the user's devices.
    public var device: String?
    /// The client's address and port.
    public var address: String?
    /// What happened.
    public var kind: Kind

    /// Creates an event, for tests of applications.
    public init(
        _ kind: Kind, id: String, number: UInt64, time: Timestamp, session: String,
        user: String? = nil, device: String? = nil, address: String? = nil
    ) {
        self.kind = kind
        self.id = id
        self.number = number
        self.time = time
        self.session = session
        self.user = user
        self.device = device
        self.address = address
    }

    /// Bytes that it is counted as against limits.
    var bytes: Int {
        let names =
            session.utf8.count + (user?.utf8.count ?? 0) + (device?.utf8.count ?? 0)
        guard case .message(let message) = kind else { return names + Self.overhead }
        return names + message.bytes + Self.overhead
    }

    private static let overhead = 256

    // MARK: - JSON

    public init(json: [UInt8]) throws(CommandFailure) {
        let fields = JSONFields(json)
        id = try fields.needed("id")
        number = try fields.needed("number")
        time = Timestamp(milliseconds: try fields.needed("time"))
        session = try fields.needed("session")
        user = try fields.value("user")
        device = try fields.value("device")
        address = try fields.value("address")
        let type: String = try fields.needed("type")
        switch type {
        case "connected":
            kind = .connected
        case "message":
            kind = .message(try Self.message(of: fields))
        case "disconnected":
            guard let ending = Ending(rawValue: try fields.needed("reason")) else {
                throw CommandFailure(.malformed, "the reason is not known")
            }
            kind = .disconnected(ending)
        default:
            throw CommandFailure(.malformed, "the type is not known")
        }
    }

    private static func message(of fields: JSONFields) throws(CommandFailure) -> HubMessage {
        guard let bytes = try fields.bytes("base64") else { return try fields.message() }
        return HubMessage(
            Payload(bytes, format: .binary), event: try fields.value("event"),
            sender: try fields.value("sender"), key: try fields.value("key"))
    }

    public func json() throws(CommandFailure) -> [UInt8] {
        try Self.object { object in
            try object.set("id", id)
            try object.set("type", typeName)
            try object.set("session", session)
            try object.set("number", number)
            try object.set("time", time.milliseconds)
            if let user { try object.set("user", user) }
            if let device { try object.set("device", device) }
            if let address { try object.set("address", address) }
            switch kind {
            case .connected: break
            case .message(let message): try Self.set(message, in: &object)
            case .disconnected(let ending): try object.set("reason", ending.rawValue)
            }
        }
    }

    private static func set(_ message: HubMessage, in object: inout JSONObject) throws {
        guard message.payload.format == .binary else { return try object.set(message) }
        if let event = message.event { try object.set("event", event) }
        if let sender = message.sender { try object.set("sender", sender) }
        if let key = message.key { try object.set("key", key) }
        object.set("base64", base64: message.payload.bytes)
    }

    private var typeName: String {
        switch kind {
        case .connected: "connected"
        case .message: "message"
        case .disconnected: "disconnected"
        }
    }
}
