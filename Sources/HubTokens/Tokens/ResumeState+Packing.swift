import Hub
import MessagePack

// A state in MessagePack: an array of version, expiry, user, device, an array of topic, epoch and
// offset by turns; where there are any, when the credentials expire; and the same for what they grant.
extension ResumeState {
    private static let version: UInt64 = 1
    private static let topicFields = 3

    var packed: [UInt8] {
        var writer = MessagePackWriter()
        writer.writeArrayHead(count: !grants.isEmpty ? 7 : credentialsExpiry != nil ? 6 : 5)
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
        if let credentialsExpiry {
            writer.write(credentialsExpiry.milliseconds)
        } else if !grants.isEmpty {
            writer.writeNull()
        }
        if !grants.isEmpty {
            writer.writeArrayHead(count: grants.count)
            for pattern in grants { writer.write(pattern.description) }
        }
        return writer.bytes
    }

    /// `nil` for what no state of this version is.
    init?(packed bytes: [UInt8]) {
        var reader = TokenReader(bytes: bytes)
        guard let count = reader.array(), 5...7 ~= count, reader.count() == Self.version,
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
        let time: Int64?? = count > 5 ? reader.time() : .some(nil)
        guard case .some(let credentialsExpiry) = time,
            count != 6 || credentialsExpiry != nil
        else { return nil }
        var grants: [TopicPattern] = []
        if count == 7 {
            guard let patterns = reader.array(), patterns > 0 else { return nil }
            for _ in 0..<patterns {
                guard case .some(.some(let pattern)) = reader.name() else { return nil }
                grants.append(TopicPattern(pattern))
            }
        }
        guard reader.isAtEnd else { return nil }
        self.init(
            user: user, device: device, topics: topics, expiry: Timestamp(milliseconds: expiry),
            credentialsExpiry: credentialsExpiry.map { Timestamp(milliseconds: $0) },
            grants: grants)
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

    /// A time that may be missing; `nil` for something else.
    mutating func time() -> Int64?? {
        switch next() {
        case .null: .some(nil)
        case .integer(let number): .some(number)
        default: nil
        }
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
