/// Envelopes as JSON text: one object, a field for each value.
package enum JSONFields {
    /// Reads an envelope.
    ///
    /// Fields whose names are unknown are passed over, `null` is as good as no field but where any JSON
    /// may stand, and a value of the wrong type or a field that stands there twice is an error.
    ///
    /// - Parameter text: UTF-8.
    /// - Returns: What it says.
    /// - Throws: ``WireError``.
    package static func read(_ text: RawSpan) throws(WireError) -> FieldSet {
        // The pointer is used within the call only.
        try text.withUnsafeBytes { (bytes) throws(WireError) -> FieldSet in
            var reader = JSONFieldReader(scanner: JSONScanner(bytes))
            return try reader.envelope()
        }
    }

    /// Whether `bytes` are one JSON value, nested at most 32 deep. That they are UTF-8 is believed.
    package static func isValue(_ bytes: RawSpan) -> Bool {
        bytes.withUnsafeBytes { bytes in
            var scanner = JSONScanner(bytes)
            do throws(WireError) { try scanner.skipValue() } catch { return false }
            return scanner.peek() == nil
        }
    }
}

struct JSONFieldReader {
    var scanner: JSONScanner
    private var elements = 0
    /// What was wrong first, while the rest is read for the `id`.
    private var problem: WireError?

    init(scanner: JSONScanner) {
        self.scanner = scanner
    }

    mutating func envelope() throws(WireError) -> FieldSet {
        let set = try fieldSet(isOutermost: true)
        guard scanner.peek() == nil else { throw scanner.broken("more than one value") }
        guard var problem else { return set }
        problem.id = set.optionalCount(.id)
        throw problem
    }

    private mutating func fieldSet(isOutermost: Bool) throws(WireError) -> FieldSet {
        try scanner.expect("{")
        var set = FieldSet()
        if scanner.take("}") { return set }
        repeat {
            try count()
            let key = try self.key()
            try scanner.expect(":")
            if key?.shape != .json, scanner.takeWord("null") { continue }
            guard let key, isOutermost || key.shape != .fieldSets else {
                try scanner.skipValue()
                continue
            }
            guard let value = try value(of: key) else { continue }
            do throws(WireError) { try set.add(key, value) } catch { note(error) }
        } while scanner.take(",")
        try scanner.expect("}")
        return set
    }

    private mutating func key() throws(WireError) -> FieldKey? {
        let (contents, _) = try scanner.skipString()
        let name = scanner.bytes[contents]
        // Swift compares names by canonical equivalence; those of fields are ASCII and short.
        guard name.count <= FieldKey.nameBytesMax, name.allSatisfy({ $0 < 0x80 }) else {
            return nil
        }
        return FieldKey(name: String(decoding: name, as: UTF8.self))
    }

    private mutating func count() throws(WireError) {
        elements += 1
        guard elements <= WireLimits.elementsMax else {
            throw WireError("more than \(WireLimits.elementsMax) elements")
        }
    }

    private mutating func note(_ error: WireError) {
        problem = problem ?? error
    }

    /// The value; `nil`, and a problem, where it is not what it should be.
    private mutating func value(of key: FieldKey) throws(WireError) -> FieldValue? {
        let value = try read(key.shape)
        if value == nil { note(WireError("\(key.name) is not what it should be")) }
        return value
    }

    /// The value, passed in any case; `nil` where it has another type or is out of range.
    private mutating func read(_ shape: FieldKey.Shape) throws(WireError) -> FieldValue? {
        switch shape {
        case .flag:
            if scanner.takeWord("true") { return .flag(true) }
            if scanner.takeWord("false") { return .flag(false) }
            return try skipped()
        case .count:
            guard let (magnitude, isNegative) = try integer(), !isNegative else { return nil }
            return .count(magnitude)
        case .number:
            guard let (magnitude, isNegative) = try integer() else { return nil }
            if isNegative, magnitude == Int64.min.magnitude { return .number(.min) }
            return Int64(exactly: magnitude).map { .number(isNegative ? -$0 : $0) }
        case .json:
            let start = scanner.index
            try scanner.skipValue()
            let value = scanner.bytes[start..<scanner.index]
            return .json(Array(value.drop { $0 <= 0x20 }))
        case .kind:
            // Looked up by canonical equivalence, as names are.
            guard let name = try string(), name.utf8.count <= EnvelopeKind.nameBytesMax,
                name.utf8.allSatisfy({ $0 < 0x80 })
            else { return nil }
            return EnvelopeKind(name: name).map { .kind($0) }
        case .text: return try string().map { .text($0) }
        case .mark: return try mark().map { .mark($0) }
        case .bytes: return try string().flatMap { Base64Text.decode($0) }.map { .bytes($0) }
        case .marks:
            return try list { (reader) throws(WireError) in try reader.mark() }.map { .marks($0) }
        case .texts:
            return try list { (reader) throws(WireError) in try reader.string() }
                .map { .texts($0) }
        case .fieldSets:
            return try list { (reader) throws(WireError) in
                guard reader.scanner.peek() == UInt8(ascii: "{") else {
                    return try reader.skipped()
                }
                return try reader.fieldSet(isOutermost: false)
            }.map { .fieldSets($0) }
        }
    }

    private mutating func skipped<Value>() throws(WireError) -> Value? {
        try scanner.skipValue()
        return nil
    }

    private mutating func integer() throws(WireError) -> (magnitude: UInt64, isNegative: Bool)? {
        switch scanner.peek() {
        case .some(0x30...0x39), UInt8(ascii: "-"): try scanner.integer()
        default: try skipped()
        }
    }

    private mutating func string() throws(WireError) -> String? {
        guard scanner.peek() == UInt8(ascii: "\"") else { return try skipped() }
        return try scanner.string()
    }

    private mutating func mark() throws(WireError) -> UInt64? {
        guard let text = try string(), text.utf8.count <= 13 else { return nil }
        return UInt64(text, radix: 36)
    }

    /// All its elements are passed; `nil` where it is none, or one of them is not what it should be.
    private mutating func list<Element>(
        _ element: (inout JSONFieldReader) throws(WireError) -> Element?
    ) throws(WireError) -> [Element]? {
        guard scanner.take("[") else { return try skipped() }
        var elements: [Element] = []
        var isGood = true
        if scanner.take("]") { return elements }
        repeat {
            try count()
            if let read = try element(&self) { elements.append(read) } else { isGood = false }
        } while scanner.take(",")
        try scanner.expect("]")
        return isGood ? elements : nil
    }
}
