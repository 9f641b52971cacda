/// What a handler knows of what it serves.
public struct MessagePackRPCContext: Sendable {
    /// The name the peer asked for.
    public let method: String
    /// The connection of the peer, who can be called back.
    public let connection: MessagePackRPCConnection
}
