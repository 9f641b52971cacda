extension Connection {
    /// Connects to `address`, for a task.
    ///
    /// The caller ends the connection by ``AsyncConnection/close()``,
    /// ``AsyncConnection/abort()`` or ``AsyncConnection/withLifetime(_:)``; see
    /// ``EventLoop/withConnection(to:configuration:_:)``, which does so itself.
    ///
    /// Without a `loop` it is a connection of the one that the task prefers as its executor. Tasks
    /// that prefer none share a loop for that, whose thread is started by the first of them and lives
    /// as long as the process.
    ///
    /// - Throws: ``ConnectError``; where the task is cancelled with
    ///   ``ConnectError/Reason/cancelled``, where the shared loop cannot be started with
    ///   ``ConnectError/Reason/failed(_:)``.
    public static func connect(
        to address: SocketAddress, on loop: EventLoop? = nil,
        configuration: ConnectConfiguration = .init()
    ) async throws(ConnectError) -> AsyncConnection {
        try await Dial.connect(to: .address(address), on: loop, configuration)
    }

    /// Connects to `host`, a name or a numeric address, over TCP, for a task.
    ///
    /// A name is resolved off the loop and its addresses are tried with Happy Eyeballs v2
    /// (RFC 8305), as by ``EventLoop/connect(host:port:configuration:resolver:completion:)``;
    /// ``AsyncConnection/peer`` is the one that won. The caller ends the connection as after
    /// ``connect(to:on:configuration:)``, which also tells whose it is where no loop is named.
    ///
    /// - Throws: ``ConnectError``; where the task is cancelled with
    ///   ``ConnectError/Reason/cancelled``, also while the name is being resolved.
    public static func connect(
        host: String, port: UInt16, on loop: EventLoop? = nil,
        configuration: ConnectConfiguration = .init(),
        resolver: any Resolver = SystemResolver.shared
    ) async throws(ConnectError) -> AsyncConnection {
        try await Dial.connect(to: .host(host, port: port, resolver), on: loop, configuration)
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

    /// Connects to `host`, a name or a numeric address, runs `body` on this loop and closes the
    /// connection; see ``Connection/connect(host:port:on:configuration:resolver:)``.
    ///
    /// Where `body` throws or the task is cancelled the connection is aborted.
    ///
    /// - Throws: ``ConnectError``, or what `body` throws.
    @concurrent
    public func withConnection<Result: Sendable>(
        host: String, port: UInt16, configuration: ConnectConfiguration = .init(),
        resolver: any Resolver = SystemResolver.shared,
        _ body: @escaping @Sendable (AsyncConnection) async throws -> Result
    ) async throws -> Result {
        try await withTaskExecutorPreference(self) {
            let connection = try await Connection.connect(
                host: host, port: port, on: self, configuration: configuration, resolver: resolver)
            return try await connection.withLifetime(body)
        }
    }
}
