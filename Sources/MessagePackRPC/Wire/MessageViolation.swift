import MessagePack

/// What a peer sent that is no MessagePack-RPC; the connection is given up.
enum MessageViolation: Error, Hashable, CustomStringConvertible {
    case malformed(MessagePackError)
    case oversized(limit: Int)
    /// The array's place that holds something else than the protocol says.
    case unexpected(place: Int)

    var description: String {
        switch self {
        case .malformed(let error): "\(error)"
        case .oversized(let limit): "a message exceeds \(limit) bytes"
        case .unexpected(let place): "a message with something unexpected at place \(place)"
        }
    }
}
