import MessagePack

struct MessagePackFieldReader {
    private let bytes: UnsafeRawBufferPointer
    private var reader = MessagePackReader(
        limits: .init(
            depthMax: WireLimits.depthMax, elementsMax: 2 * WireLimits.elementsMax))
    private var cursor = 0
    /// What was wrong first, while the rest is read for the `id`.
    private var problem: WireError?

    init(bytes: UnsafeRawBufferPointer) {
        self.bytes = bytes
    }

    mutating func envelope() throws(WireError) -> FieldSet {
        guard case .map(let count) = try next() else {
            throw WireError("not a map", isSyntax: true)
        }
        let set = try fieldSet(count, isOutermost: true)
        guard cursor == bytes.count else {
            throw WireError("more than one value", isSyntax: true)
        }
        guard var problem else { return set }
        problem.id = set.optionalCount(.id)
        throw problem
    }

    private mutating func next() throws(WireError) -> MessagePackToken {
        do throws(MessagePackError) {
            if let token = try reader.next(in: bytes.bytes, at: &cursor) { return token }
        } catch {
            throw WireError("not MessagePack: \(error)", isSyntax: true)
        }
        throw WireError("not MessagePack: it ends within a value", isSyntax: true)
    }

    private mutating func fieldSet(
        _ count: Int, isOutermost: Bool
    ) throws(WireError) -> FieldSet {
        var set = FieldSet()
        for _ in 0..<count {
            let name = try next()
            try skip(name)
            let value = try next()
            if value == .null { continue }
            guard case .integer(let number) = name,
                let key = UInt8(exactly: number).flatMap(FieldKey.init(rawValue:)),
                isOutermost || key.shape != .fieldSets
            else {
                try skip(value)
                continue
            }
            guard let read = try read(value, as: key.shape) else {
                note(WireError("\(key.name) is not what it should be"))
                continue
            }
            do throws(WireError) { try set.add(key, read) } catch { note(error) }
        }
        return set
    }

    private mutating func note(_ error: WireError) {
        problem = problem ?? error
    }

    /// Passes what belongs to a value that has begun with `token`.
    private mutating func skip(_ token: MessagePackToken) throws(WireError) {
        var left = Self.elements(of: token)
        while left > 0 { left += Self.elements(of: try next()) - 1 }
    }

    private static func elements(of token: MessagePackToken) -> Int {
        switch token {
        case .array(let count): count
        case .map(let count): 2 * count
        case .null, .bool, .integer, .unsigned, .float, .double, .string, .bytes, .ext: 0
        }
    }

    /// The value that begins with `token`, passed in any case; `nil` where it has another type.
    private mutating func read(
        _ token: MessagePackToken, as shape: FieldKey.Shape
    ) throws(WireError) -> FieldValue? {
        switch (shape, token) {
        case (.flag, .bool(let flag)): .flag(flag)
        case (.kind, .integer(let number)):
            UInt8(exactly: number).flatMap(EnvelopeKind.init(rawValue:)).map { .kind($0) }
        case (.number, .integer(let number)): .number(number)
        case (.count, _) where Self.count(token) != nil: Self.count(token).map { .count($0) }
        case (.mark, _) where Self.count(token) != nil: Self.count(token).map { .mark($0) }
        case (.bytes, .bytes(let range)): .bytes(Array(bytes[range]))
        case (.text, .string(let range)): text(range).map { .text($0) }
        case (.json, .string(let range)):
            text(range).flatMap { text in
                let json = Array(text.utf8)
                return JSONFields.isValue(json.span.bytes) ? .json(Self.trimmed(json)) : nil
            }
        case (.marks, .array(let count)):
            try list(count) { (reader, token) throws(WireError) in
                let mark = Self.count(token)
                if mark == nil { try reader.skip(token) }
                return mark
            }.map { .marks($0) }
        case (.texts, .array(let count)):
            try list(count) { (reader, token) throws(WireError) -> String? in
                if case .string(let range) = token { return reader.text(range) }
                try reader.skip(token)
                return nil
            }.map { .texts($0) }
        case (.fieldSets, .array(let count)):
            try list(count) { (reader, token) throws(WireError) -> FieldSet? in
                if case .map(let count) = token {
                    return try reader.fieldSet(count, isOutermost: false)
                }
                try reader.skip(token)
                return nil
            }.map { .fieldSets($0) }
        default:
            try skipped(token)
        }
    }

    private mutating func skipped(_ token: MessagePackToken) throws(WireError) -> FieldValue? {
        try skip(token)
        return nil
    }

    private static func count(_ token: MessagePackToken) -> UInt64? {
        switch token {
        case .integer(let number): UInt64(exactly: number)
        case .unsigned(let number): number
        default: nil
        }
    }

    /// `nil` for what is not UTF-8.
    private func text(_ range: Range<Int>) -> String? {
        String(validating: bytes[range], as: UTF8.self)
    }

    /// Without white space around it, as a field of JSON text has it.
    private static func trimmed(_ json: [UInt8]) -> [UInt8] {
        let start = json.drop { $0 <= 0x20 }
        guard let last = start.lastIndex(where: { $0 > 0x20 }) else { return [] }
        return Array(start[...last])
    }

    private mutating func list<Element>(
        _ count: Int,
        _ element: (inout MessagePackFieldReader, MessagePackToken) throws(WireError) -> Element?
    ) throws(WireError) -> [Element]? {
        var elements: [Element] = []
        var isGood = true
        for _ in 0..<count {
            if let read = try element(&self, try next()) {
                elements.append(read)
            } else {
                isGood = false
            }
        }
        return isGood ? elements : nil
    }
}
