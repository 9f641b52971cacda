/// Why a task cannot go on with an ``AsyncConnection``.
public enum ConnectionError: Error, Hashable, Sendable {
    /// The connection ended.
    case closed(CloseReason)
    /// The task was cancelled, which aborts its connection.
    case cancelled
}

extension ConnectionError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .closed(let reason): "the connection is closed: \(reason)"
        case .cancelled: "the task was cancelled"
        }
    }
}
