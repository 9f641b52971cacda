/// One step of a MessagePack value: all of a scalar, or the head of an array or a map, whose
/// elements follow as further tokens.
public enum MessagePackToken: Hashable, Sendable {
    /// `nil`.
    case null
    case bool(Bool)
    /// Any integer that fits, in whatever format it came.
    case integer(Int64)
    /// An integer above `Int64.max`.
    case unsigned(UInt64)
    case float(Float)
    case double(Double)
    /// Text: where its bytes lie in the input. Nobody has checked that they are UTF-8.
    case string(Range<Int>)
    /// Bytes (`bin`): where they lie in the input.
    case bytes(Range<Int>)
    /// This many values follow.
    case array(count: Int)
    /// This many keys with their values follow, each key before its value.
    case map(count: Int)
    /// An application's type, or one of the specification's below 0, and where its bytes lie.
    case ext(type: Int8, Range<Int>)
}
