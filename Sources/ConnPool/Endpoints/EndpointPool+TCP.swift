public import NetPoll

extension EndpointPool where Connection == AsyncConnection {
    /// Makes a pool of TCP or Unix socket connections to several endpoints; see
    /// ``TCPConnectionPool``.
    ///
    /// - Parameters:
    ///   - endpoints: Where to connect; of one name only the first is taken.
    ///   - loops: The loops that own the connections, in turn.
    ///   - configuration: Limits and times.
    ///   - tcp: The settings of sockets, names and preparation.
    ///   - address: The address of an endpoint.
    /// - Precondition: There is a loop, and the configuration's values make sense.
    public convenience init(
        endpoints: [Endpoint], on loops: [EventLoop],
        configuration: EndpointPoolConfiguration = .init(), tcp: TCPPoolConfiguration = .init(),
        address: @escaping @Sendable (Endpoint) -> TCPEndpoint
    ) {
        precondition(!loops.isEmpty, "a pool on no loop")
        self.init(endpoints, configuration, LoopPoolClock(loops[0])) { endpoint in
            ConnectionPool(
                to: address(endpoint), on: loops, configuration: configuration.pool, tcp: tcp)
        }
    }
}
