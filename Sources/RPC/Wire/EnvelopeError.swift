/// Why the protobuf data of a frame cannot be read.
enum EnvelopeError: Error, Hashable, Sendable {
    /// The data end inside a field.
    case truncated
    /// A varint has more than ten bytes, or more bits than its field.
    case oversizedVarint
    /// Field number 0, one beyond 2^29 - 1, or wire type 6 or 7.
    case invalidTag
    /// A field that is known has another wire type.
    case wrongWireType(field: Int)
    /// A group ends that did not begin, or is nested too deep.
    case malformedGroup
    /// A string is not UTF-8.
    case invalidUTF8(field: Int)
}
