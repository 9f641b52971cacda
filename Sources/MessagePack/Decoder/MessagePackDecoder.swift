/// Decodes `Decodable` values from MessagePack.
///
/// The whole input is checked before any of it is decoded: one value, within the limits, nothing
/// behind it. Then:
///
/// - Keys may be text or integers, which are matched by `CodingKey.intValue`; keys that nobody asks
///   for are passed over, and a key that stands twice is refused. They are compared by their bytes;
///   one of more than 1,024 bytes has to be ASCII.
/// - Integers are taken in every format that holds them, and for floating point too where they are
///   exact. A `Double` is taken for a `Float`, rounded.
/// - `[UInt8]` is taken from bytes or from an array of integers; text has to be UTF-8.
///
/// Complexity: O(bytes × depth).
public struct MessagePackDecoder: Sendable {
    /// What a value may have at most.
    public var limits: MessagePackReader.Limits

    public init(limits: MessagePackReader.Limits = MessagePackReader.Limits()) {
        self.limits = limits
    }

    /// Decodes a value from all of `bytes`.
    ///
    /// - Throws: ``MessagePackError`` where they are not one value within the limits,
    ///   `DecodingError` where they are not what `type` wants, and what `type` throws.
    public func decode<Value: Decodable>(
        _ type: Value.Type, from bytes: RawSpan
    ) throws -> Value {
        try checkWhole(bytes)
        // Copied, because a decoder may outlive the call.
        let source = EncodedSource(bytes: bytes.withUnsafeBytes { Array($0) })
        return try source.decode(type, at: 0, path: [])
    }

    /// Decodes a value from all of `bytes`, an array.
    ///
    /// - Throws: As for a span.
    public func decode<Value: Decodable>(_ type: Value.Type, from bytes: [UInt8]) throws -> Value {
        try checkWhole(bytes.span.bytes)
        return try EncodedSource(bytes: bytes).decode(type, at: 0, path: [])
    }

    private func checkWhole(_ bytes: RawSpan) throws(MessagePackError) {
        var reader = MessagePackReader(limits: limits)
        var cursor = 0
        guard try reader.skipValue(in: bytes, at: &cursor) else {
            throw MessagePackError(.truncated, at: cursor)
        }
        guard cursor == bytes.byteCount else { throw MessagePackError(.trailingBytes, at: cursor) }
    }
}
