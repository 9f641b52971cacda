/// Where the values of a map stand, by key.
struct MapFields {
    /// How long a key may be that is not ASCII. What looks at all keys, as dictionaries and
    /// enumerations do, compares them by canonical equivalence, which takes quadratic time over long
    /// runs of combining marks.
    private static let foreignKeyBytesMax = 1_024

    private var byName: [ExactText: Int] = [:]
    private var byNumber: [Int: Int] = [:]

    init(_ value: SingleValueDecoding) throws {
        let source = value.source
        let (token, end) = source.token(at: value.offset)
        guard case .map(let count) = token else { throw value.mismatch([String: Any].self) }
        var offset = end
        for _ in 0..<count {
            let (key, afterKey) = source.token(at: offset)
            var isNew = true
            switch key {
            case .string(let range):
                let name = try Self.name(source, range, value.codingPath)
                isNew = byName.updateValue(afterKey, forKey: name) == nil
                offset = source.end(of: afterKey)
            case .integer(let number):
                isNew = byNumber.updateValue(afterKey, forKey: Int(number)) == nil
                offset = source.end(of: afterKey)
            case .null, .bool, .unsigned, .float, .double, .bytes, .array, .map, .ext:
                // No `CodingKey` can be this one.
                offset = source.end(of: source.end(of: offset))
            }
            guard isNew else {
                throw DecodingError.dataCorrupted(
                    .init(codingPath: value.codingPath, debugDescription: "a key stands twice"))
            }
        }
    }

    var names: some Sequence<String> { byName.keys.lazy.map(\.string) }
    var numbers: some Sequence<Int> { byNumber.keys }

    func offset(of key: any CodingKey) -> Int? {
        byName[ExactText(key.stringValue)] ?? key.intValue.flatMap { byNumber[$0] }
    }

    private static func name(
        _ source: EncodedSource, _ range: Range<Int>, _ path: [any CodingKey]
    ) throws -> ExactText {
        if range.count > foreignKeyBytesMax, source.bytes[range].contains(where: { $0 >= 0x80 }) {
            let text = "a key of \(range.count) bytes, not ASCII, exceeds \(foreignKeyBytesMax)"
            throw DecodingError.dataCorrupted(.init(codingPath: path, debugDescription: text))
        }
        return ExactText(try source.text(range, path: path))
    }
}
