import FoundationEssentials

extension Payload {
    /// Encodes a value as JSON.
    ///
    /// - Throws: What the value's encoding throws.
    public init(json value: some Encodable) throws {
        self.init(Array(try JSONEncoder().encode(value)), format: .json)
    }

    /// Decodes JSON, which text may be too.
    ///
    /// Objects with more than 256 names in all, with names that are not ASCII or longer than 64 bytes,
    /// or nested more than 16 deep are refused: the decoder compares names in quadratic time.
    ///
    /// - Throws: What the value's decoding throws.
    public func decoded<Value: Decodable>(as type: Value.Type = Value.self) throws -> Value {
        guard format != .binary, JSONShape.problem(with: bytes.span.bytes) == nil else {
            throw EventError.malformed
        }
        return try JSONDecoder().decode(type, from: Data(bytes))
    }
}
