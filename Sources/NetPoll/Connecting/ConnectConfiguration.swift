/// Settings of an outgoing connection; see ``EventLoop/connect(to:configuration:completion:)``.
public struct ConnectConfiguration: Hashable, Sendable {
    /// How long connecting may take before it is given up with ``ConnectError/Reason/timedOut``.
    /// Default 10 s.
    public var timeout = Duration.seconds(10)
    /// The address to connect from, with port 0 for one the kernel chooses; `nil`, the default,
    /// leaves all of it to the kernel. A name is connected to by its addresses of this one's family
    /// only; without any, connecting fails with ``ConnectError/Reason/unresolved(_:)``.
    public var localAddress: SocketAddress?
    /// Options of the socket.
    public var options = SocketOptions()
    /// Bounds of the connection.
    public var limits = Connection.Limits()

    public init() {}
}
