import FoundationEssentials

/// What a client asks for; the first table of PROTOCOL.md.
enum ClientMessage: Sendable {
    case hello(version: Int, name: String)
    case join(room: String, epoch: String?, offset: UInt64?)
    case leave(room: String)
    case send(room: String, text: String, ref: String?)
    case typing(room: String, isTyping: Bool)
    case rooms
    case ping(ref: String?)

    /// Parses one message.
    init(json: RawSpan) throws(ChatError) {
        if let problem = JSONShape.problem(with: json) { throw ChatError(.badJSON, problem) }
        let data = json.withUnsafeBytes { Data($0) }
        do {
            self = try JSONDecoder().decode(ClientMessage.self, from: data)
        } catch let error as ChatError {
            throw error
        } catch {
            throw ChatError(.badJSON, Self.explanation(of: error))
        }
    }

    /// The room it is about.
    var room: String? {
        switch self {
        case .join(let room, _, _), .leave(let room), .send(let room, _, _), .typing(let room, _):
            room
        case .hello, .rooms, .ping: nil
        }
    }

    /// The client's mark on it.
    var ref: String? {
        switch self {
        case .send(_, _, let ref), .ping(let ref): ref
        case .hello, .join, .leave, .typing, .rooms: nil
        }
    }

    private static func explanation(of error: any Error) -> String {
        switch error {
        case DecodingError.keyNotFound(let key, _):
            "field \"\(key.stringValue)\" is missing"
        case DecodingError.typeMismatch(_, let context) where !context.codingPath.isEmpty,
            DecodingError.valueNotFound(_, let context) where !context.codingPath.isEmpty,
            DecodingError.dataCorrupted(let context) where !context.codingPath.isEmpty:
            "field \"\(context.codingPath[0].stringValue)\" is of the wrong type"
        default:
            "the message is not a JSON object"
        }
    }
}

extension ClientMessage: Decodable {
    private enum Key: String, CodingKey {
        case type, version, name, room, epoch, offset, text, ref, typing
    }

    /// The bytes of a type that can be known; the longest has 6.
    private static let typeBytesMax = 40

    init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: Key.self)
        func string(_ key: Key) throws -> String { try fields.decode(String.self, forKey: key) }
        let type = try string(.type)
        // Strings of ASCII compare by their bytes; others would first be normalised.
        guard type.utf8.count <= Self.typeBytesMax, type.utf8.allSatisfy({ $0 < 0x80 }) else {
            throw ChatError(.unknownType, "unknown type")
        }
        switch type {
        case "hello":
            let version = try fields.decode(Int.self, forKey: .version)
            self = .hello(version: version, name: try string(.name))
        case "join":
            self = .join(
                room: try string(.room),
                epoch: try fields.decodeIfPresent(String.self, forKey: .epoch),
                offset: try fields.decodeIfPresent(UInt64.self, forKey: .offset))
        case "leave":
            self = .leave(room: try string(.room))
        case "send":
            self = .send(
                room: try string(.room), text: try string(.text),
                ref: try fields.decodeIfPresent(String.self, forKey: .ref))
        case "typing":
            self = .typing(
                room: try string(.room), isTyping: try fields.decode(Bool.self, forKey: .typing))
        case "rooms":
            self = .rooms
        case "ping":
            self = .ping(ref: try fields.decodeIfPresent(String.self, forKey: .ref))
        default:
            throw ChatError(.unknownType, "unknown type \(type.debugDescription)")
        }
    }
}
