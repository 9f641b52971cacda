extension Connection {
    /// Connects to `address`, for a task.
    ///
    /// The caller ends the connection by ``AsyncConnection/close()``,
    /// ``AsyncConnection/abort()`` or ``AsyncConnection/withLifetime(_:)``; see
    /// ``EventLoop/withConnection(to:configuration:_:)``, which does so itself.
    ///
    /// - Throws: ``ConnectError``; where the task is cancelled with
    ///   ``ConnectError/Reason/cancelled``.
    public static func connect(
        to address: SocketAddress, on loop: EventLoop, configuration: ConnectConfiguration = .init()
    ) async throws(ConnectError) -> AsyncConnection {
        try await Dial(to: address, on: loop, configuration).connect().get()
    }
}

extension EventLoop {
    /// Connects to `address`, runs `body` on this loop and closes the connection.
    ///
    /// Where `body` throws or the task is cancelled the connection is aborted.
    ///
    /// - Throws: ``ConnectError``, or what `body` throws.
    @concurrent
    public func withConnection<Result: Sendable>(
        to address: SocketAddress, configuration: ConnectConfiguration = .init(),
        _ body: @escaping @Sendable (AsyncConnection) async throws -> Result
    ) async throws -> Result {
        try await withTaskExecutorPreference(self) {
            let connection = try await Connection.connect(
                to: address, on: self, configuration: configuration)
            return try await connection.withLifetime(body)
        }
    }
}
