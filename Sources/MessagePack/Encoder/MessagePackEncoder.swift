/// Encodes `Encodable` values as MessagePack.
///
/// Keyed containers become maps with text keys, unkeyed ones arrays, `[UInt8]` becomes bytes,
/// ``MessagePackTimestamp`` and ``MessagePackExtension`` extensions; numbers take their shortest
/// format. Of two values of one key the last counts.
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
        try EncodedValue(value, at: []).write(to: &writer)
    }
}
