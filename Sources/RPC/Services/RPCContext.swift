public import NetPoll

/// What a handler knows of the call it serves.
public struct RPCContext: Sendable {
    /// What came with the request.
    public let metadata: RPCMetadata
    /// When the caller stops waiting; `nil`: never. The handler's task is cancelled then.
    public let deadline: Instant?
    /// The connection of the caller, who can be called back where it knows the extensions.
    public let connection: RPCConnection
}

/// The deadline of the call that the current task serves.
///
/// A call that is made meanwhile ends by then, whatever its own timeout.
public enum RPCDeadline {
    /// The deadline, or `nil` where the task serves no call or the call has none.
    @TaskLocal public static var current: Instant?
}
