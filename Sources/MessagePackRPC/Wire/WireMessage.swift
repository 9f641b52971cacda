/// One message of MessagePack-RPC, as ranges of the input it was read from.
enum WireMessage: Equatable {
    /// `[0, id, method, parameters]`
    case request(id: UInt32, method: Range<Int>, parameters: Range<Int>)
    /// `[1, id, error, result]`; the error is `nil` in a success.
    case response(id: UInt32, error: Range<Int>?, result: Range<Int>)
    /// `[2, method, parameters]`
    case notification(method: Range<Int>, parameters: Range<Int>)
}
