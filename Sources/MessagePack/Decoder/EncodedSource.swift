/// Bytes that were checked to be one value, and reading its parts by their offsets.
struct EncodedSource {
    let bytes: [UInt8]

    // The whole was checked against the user's limits.
    private static let limits = MessagePackReader.Limits(
        depthMax: .max, elementsMax: .max, bytesMax: .max)

    /// The token at `offset`, and where the next one begins.
    func token(at offset: Int) -> (token: MessagePackToken, end: Int) {
        let head = bytes.withUnsafeBytes { TokenHead.read($0, at: offset).head }
        guard let head else { preconditionFailure("a checked value ends at \(offset)") }
        let body = offset + head.byteCount
        let token = head.token(at: body)
        return switch token {
        case .string(let range), .bytes(let range), .ext(_, let range): (token, range.upperBound)
        case .null, .bool, .integer, .unsigned, .float, .double, .array, .map: (token, body)
        }
    }

    /// Where the value at `offset` ends.
    func end(of offset: Int) -> Int {
        var reader = MessagePackReader(limits: Self.limits)
        var cursor = offset
        do throws(MessagePackError) {
            let isWhole = try reader.skipValue(in: bytes.span.bytes, at: &cursor)
            precondition(isWhole, "a checked value ends at \(cursor)")
            return cursor
        } catch {
            preconditionFailure("a checked value: \(error)")
        }
    }

    func text(_ range: Range<Int>, path: [any CodingKey]) throws -> String {
        guard let text = String(validating: bytes[range], as: UTF8.self) else {
            throw DecodingError.dataCorrupted(
                .init(codingPath: path, debugDescription: "text is not UTF-8"))
        }
        return text
    }

    /// Decodes what `Codable` has no word for itself, or whatever the type decodes of itself.
    func decode<Value: Decodable>(
        _ type: Value.Type, at offset: Int, path: [any CodingKey]
    ) throws -> Value {
        let value = SingleValueDecoding(source: self, offset: offset, codingPath: path)
        let decoded: Any? =
            if type == [UInt8].self {
                value.bytes
            } else if type == MessagePackTimestamp.self {
                try value.timestamp()
            } else if type == MessagePackExtension.self {
                try value.ext()
            } else {
                nil
            }
        // Unwrapped first: nothing at all can be cast to any optional type.
        if let decoded, let value = decoded as? Value { return value }
        return try Value(from: ValueDecoder(value))
    }
}
