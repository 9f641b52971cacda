import Hub
import MessagePack

// A state in MessagePack: an array of version, expiry, user, device, an array of topic, epoch and
// offset by turns, and, where they do, when the credentials expire.
extension ResumeState {
    private static let version: UInt64 = 1
    private static let topicFields = 3

    var packed: [UInt8] {
        var writer = MessagePackWriter()
        writer.writeArrayHead(count: credentialsExpiry == nil ? 5 : 6)
        writer.write(Self.version)
        writer.write(expiry.milliseconds)
        for name in [user, device] {
            if let name { writer.write(name) } else { writer.writeNull() }
        }
        writer.writeArrayHead(count: Self.topicFields * topics.count)
        for known in topics {
            writer.write(known.topic)
            writer.write(known.position.epoch.rawValue)
            writer.write(known.position.offset)
        }
        if let credentialsExpiry { writer.write(credentialsExpiry.milliseconds) }
        return writer.bytes
    }

    /// `nil` for what no state of this version is.
    init?(packed bytes: [UInt8]) {
        var reader = TokenReader(bytes: bytes)
        guard let count = reader.array(), 5...6 ~= count, reader.count() == Self.version,
            let expiry = reader.number(), let user = reader.name(), let device = reader.name(),
            let fields = reader.array(), fields.isMultiple(of: Self.topicFields)
        else { return nil }
        var topics: [KnownTopic] = []
        for _ in 0..<fields / Self.topicFields {
            guard case .some(.some(let topic)) = reader.name(), let epoch = reader.count(),
                let offset = reader.count()
            else { return nil }
            let position = TopicPosition(epoch: Epoch(rawValue: epoch), offset: offset)
            topics.append(KnownTopic(topic: topic, position: position))
        }
        let credentialsExpiry = count == 6 ? reader.number() : nil
        guard reader.isAtEnd, count == 5 || credentialsExpiry != nil else { return nil }
        self.init(
            user: user, device: device, topics: topics, expiry: Timestamp(milliseconds: expiry),
            credentialsExpiry: credentialsExpiry.map { Timestamp(milliseconds: $0) })
    }
}

private struct TokenReader {
    let bytes: [UInt8]
    private var reader = MessagePackReader()
    private var cursor = 0
    private var isBroken = false

    init(bytes: [UInt8]) {
        self.bytes = bytes
    }

    var isAtEnd: Bool { cursor == bytes.count }

    private mutating func next() -> MessagePackToken? {
        guard !isBroken, !isAtEnd else { return nil }
        let bytes = bytes
        do throws(MessagePackError) {
            return try reader.next(in: bytes.span.bytes, at: &cursor)
        } catch {
            isBroken = true
            return nil
        }
    }

    mutating func array() -> Int? {
        if case .array(let count) = next() { count } else { nil }
    }

    mutating func number() -> Int64? {
        if case .integer(let number) = next() { number } else { nil }
    }

    mutating func count() -> UInt64? {
        switch next() {
        case .integer(let number): UInt64(exactly: number)
        case .unsigned(let number): number
        default: nil
        }
    }

    /// A name that may be missing; `nil` for something else.
    mutating func name() -> String?? {
        switch next() {
        case .null: .some(nil)
        case .string(let range):
            String(validating: bytes[range], as: UTF8.self).map { .some($0) }
        default: nil
        }
    }
}
