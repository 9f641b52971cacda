public import ConnPool

/// What one call wants beside its request.
public struct CallOptions: Hashable, Sendable {
    /// How long to wait for the reply; `nil`: the connection's default. A deadline of the call that
    /// the current task serves ends it earlier.
    public var timeout: Duration?
    /// What travels beside the request.
    public var metadata = RPCMetadata()
    /// Of an ``RPCClient`` with consistent hashing: what to keep together; calls with equal keys go to
    /// the same endpoint. Default: nothing.
    public var affinity: AffinityKey?

    /// - Parameters:
    ///   - timeout: How long to wait for the reply.
    ///   - metadata: What travels beside the request.
    ///   - affinity: What to keep together.
    public init(
        timeout: Duration? = nil, metadata: RPCMetadata = [:], affinity: AffinityKey? = nil
    ) {
        self.timeout = timeout
        self.metadata = metadata
        self.affinity = affinity
    }
}
