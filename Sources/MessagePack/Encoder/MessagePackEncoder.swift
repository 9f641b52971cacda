/// Encodes `Encodable` values as MessagePack.
///
/// Keyed containers become maps with text keys, unkeyed ones arrays, `[UInt8]` becomes bytes,
/// ``MessagePackTimestamp`` and ``MessagePackExtension`` extensions; numbers take their shortest
/// format.
///
/// Complexity: O(bytes), and each byte is copied once for each level it is nested in.
public struct MessagePackEncoder: Sendable {
    public init() {}

    /// Encodes `value`.
    ///
    /// - Throws: What `value` throws; `EncodingError` where it encodes nothing.
    public func encode(_ value: some Encodable) throws -> [UInt8] {
        var writer = MessagePackWriter()
        try encode(value, to: &writer)
        return writer.bytes
    }

    /// Encodes `value` behind what `writer` holds.
    ///
    /// - Throws: As ``encode(_:)``; then nothing was written.
    public func encode(_ value: some Encodable, to writer: inout MessagePackWriter) throws {
        try writer.append(value, at: [])
    }
}

extension MessagePackWriter {
    /// Writes what `Codable` has no word for itself, or whatever the value encodes of itself.
    mutating func append<Value: Encodable>(_ value: Value, at path: [any CodingKey]) throws {
        // The type is asked first: an empty array of anything can be cast to one of bytes.
        if Value.self == [UInt8].self, let value = value as? [UInt8] {
            write(value)
        } else if let value = value as? MessagePackTimestamp {
            write(value)
        } else if let value = value as? MessagePackExtension {
            writeExtension(type: value.type, value.bytes.span.bytes)
        } else {
            let node = EncodingNode()
            try value.encode(to: ValueEncoder(node: node, codingPath: path))
            guard node.kind != .undecided else {
                throw EncodingError.invalidValue(
                    value, .init(codingPath: path, debugDescription: "it encoded nothing"))
            }
            node.write(to: &self)
        }
    }
}
