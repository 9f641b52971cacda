import FoundationEssentials
import Hub
import WSFrame

/// What the server says; the second table of PROTOCOL.md.
///
/// Each function returns an encoded message.
enum ServerMessage {
    /// A room in the answer to `rooms`.
    struct Room: Encodable {
        let room: String
        let count: Int
    }

    static func welcome(name: String, limits: ChatLimits) -> PreparedMessage {
        struct Fields: Encodable {
            let version = 1
            let name: String
            let limits: ChatLimits
        }
        return prepared("welcome", Fields(name: name, limits: limits))
    }

    /// The state of a room, with the newest messages of the snapshot that `historyBytesMax` holds.
    static func joined(
        room: String, _ snapshot: TopicSnapshot, historyBytesMax: Int
    ) -> PreparedMessage {
        struct Fields: Encodable {
            let room: String
            let epoch: String
            let offset: UInt64
            let recovered: Bool
            let members: [String]
            let count: Int
        }
        let history = newest(snapshot.messages, bytesMax: historyBytesMax)
        let fields = Fields(
            room: room, epoch: snapshot.position.epoch.description,
            offset: snapshot.position.offset,
            recovered: snapshot.isRecovered && history.count == snapshot.messages.count,
            members: snapshot.users.sorted(), count: snapshot.userCount)
        // The history is JSON already.
        var bytes = encoded("joined", fields)
        bytes[bytes.count - 1] = UInt8(ascii: ",")
        bytes += #""history":["#.utf8
        for (index, message) in history.enumerated() {
            if index > 0 { bytes.append(UInt8(ascii: ",")) }
            bytes += message.payload
        }
        bytes += "]}".utf8
        return PreparedMessage(bytes.span.bytes, kind: .text)
    }

    private static func newest(
        _ messages: [PreparedMessage], bytesMax: Int
    ) -> ArraySlice<PreparedMessage> {
        var bytes = 0
        let tooOld = messages.lastIndex { message in
            bytes += message.payload.count
            return bytes > bytesMax
        }
        return tooOld.map { messages[($0 + 1)...] } ?? messages[...]
    }

    static func left(room: String) -> PreparedMessage {
        struct Fields: Encodable {
            let room: String
        }
        return prepared("left", Fields(room: room))
    }

    /// A message of a room, which gets its offset when it is published.
    static func message(
        room: Topic, from name: String, text: String, ref: String?
    ) -> Publication {
        struct Fields: Encodable {
            let room: String
            let epoch: String
            let time: Int64
            let from: String
            let text: String
            let ref: String?
        }
        let fields = Fields(
            room: room.name, epoch: room.epoch.description,
            time: Int64(Date().timeIntervalSince1970 * 1_000), from: name, text: text, ref: ref)
        var template = encoded("message", fields)
        template[template.count - 1] = UInt8(ascii: ",")
        template += #""offset":"#.utf8
        let offsetAt = template.count
        template += Publication.offsetPlaceholder.utf8
        template.append(UInt8(ascii: "}"))
        return Publication(template: template, kind: .text, offsetAt: offsetAt)
    }

    static func presence(room: String, _ changes: PresenceChanges) -> PreparedMessage {
        struct Fields: Encodable {
            let room: String
            let count: Int
            let joined: [String]
            let left: [String]
        }
        return prepared(
            "presence",
            Fields(
                room: room, count: changes.count, joined: changes.joined, left: changes.left))
    }

    static func typing(room: String, from name: String, isTyping: Bool) -> PreparedMessage {
        struct Fields: Encodable {
            let room: String
            let from: String
            let typing: Bool
        }
        return prepared("typing", Fields(room: room, from: name, typing: isTyping))
    }

    static func rooms(_ rooms: [Room]) -> PreparedMessage {
        struct Fields: Encodable {
            let rooms: [Room]
        }
        return prepared("rooms", Fields(rooms: rooms))
    }

    static func pong(ref: String?) -> PreparedMessage {
        struct Fields: Encodable {
            let ref: String?
        }
        return prepared("pong", Fields(ref: ref))
    }

    static func error(_ error: ChatError, room: String? = nil, ref: String? = nil)
        -> PreparedMessage
    {
        struct Fields: Encodable {
            let code: ChatError.Code
            let message: String
            let room: String?
            let ref: String?
            let retryAfter: Int64?
        }
        return prepared(
            "error",
            Fields(
                code: error.code, message: error.message, room: room, ref: ref,
                retryAfter: error.retryAfter.map { Int64(($0 / .milliseconds(1)).rounded(.up)) }))
    }

    private static func prepared(_ type: StaticString, _ fields: some Encodable) -> PreparedMessage
    {
        PreparedMessage(encoded(type, fields).span.bytes, kind: .text)
    }

    /// A JSON object, its type first: whoever reads it as it comes knows at once what it is.
    private static func encoded(_ type: StaticString, _ fields: some Encodable) -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.withoutEscapingSlashes, .sortedKeys]
        do {
            let rest = try encoder.encode(fields).dropFirst()
            var bytes = Array(#"{"type":"\#(type)""#.utf8)
            if rest.count > 1 { bytes.append(UInt8(ascii: ",")) }
            bytes += rest
            return bytes
        } catch {
            // Strings, integers and booleans always encode.
            preconditionFailure("cannot encode \(fields): \(error)")
        }
    }
}
