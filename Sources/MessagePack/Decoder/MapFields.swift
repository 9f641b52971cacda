/// Where the values of a map stand, by key.
struct MapFields {
    private var byName: [String: Int] = [:]
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
                let name = try source.text(range, path: value.codingPath)
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

    var names: some Sequence<String> { byName.keys }
    var numbers: some Sequence<Int> { byNumber.keys }

    func offset(of key: any CodingKey) -> Int? {
        byName[key.stringValue] ?? key.intValue.flatMap { byNumber[$0] }
    }
}
