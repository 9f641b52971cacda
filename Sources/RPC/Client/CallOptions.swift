/// What one call wants beside its request.
public struct CallOptions: Hashable, Sendable {
    /// How long to wait for the reply; `nil`: the connection's default. A deadline of the call that
    /// the current task serves ends it earlier.
    public var timeout: Duration?
    /// What travels beside the request.
    public var metadata = RPCMetadata()

    /// - Parameters:
    ///   - timeout: How long to wait for the reply.
    ///   - metadata: What travels beside the request.
    public init(timeout: Duration? = nil, metadata: RPCMetadata = [:]) {
        self.timeout = timeout
        self.metadata = metadata
    }
}
