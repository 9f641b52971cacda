/// The payloads of PROTOCOL.md, in JSON.
enum ChatMessages {
    /// Asked first, by the event `hello`.
    struct Hello: Decodable, Sendable {
        static let event = "hello"

        let version: Int
        let name: String
        let device: String?
    }

    /// The answer.
    struct Welcome: Encodable, Sendable {
        let version = 1
        let name: String
        let limits: ChatLimits
    }

    /// What a client says in a room, by the event `say`.
    struct Say: Decodable, Sendable {
        static let event = "say"

        let text: String
        let ref: String?
    }

    /// What everybody gets of it.
    struct Said: Encodable, Sendable {
        let text: String
        let ref: String?
        /// Milliseconds since 1970.
        let time: Int64
    }

    /// Somebody is, or no longer is, typing: the event `typing`.
    struct Typing: Codable, Sendable {
        static let event = "typing"

        let typing: Bool
    }

    /// Asked by the event `rooms`.
    struct RoomsQuestion: Decodable, Sendable {
        static let event = "rooms"
    }

    /// The answer.
    struct Rooms: Encodable, Sendable {
        let rooms: [Room]
    }

    struct Room: Encodable, Sendable {
        let room: String
        let count: Int
    }
}
