// Outgoing connections.
extension EventLoop {
    /// Connects to `address`: TCP for an IP address, a stream socket for a Unix path.
    ///
    /// `completion` is called once, on this loop, and never before this method returns. With a
    /// connection it sets the connection's ``Connection/handler``, whose
    /// ``ConnectionHandler/opened(_:)`` is called right after it.
    ///
    ///     loop.connect(to: address) { result in
    ///         if case .success(let connection) = result { connection.handler = Echo() }
    ///     }
    ///
    /// - Returns: The attempt, for whoever may want to cancel it.
    @discardableResult
    public func connect(
        to address: SocketAddress, configuration: ConnectConfiguration = .init(),
        completion: @escaping (Result<Connection, ConnectError>) -> Void
    ) -> ConnectAttempt {
        checkCurrent()
        precondition(
            configuration.timeout > .zero, "connect timeout of \(configuration.timeout)")
        let outgoing = OutgoingSocket(
            loop: self, address: address, configuration: configuration, completion: completion)
        outgoing.start(configuration)
        return ConnectAttempt(outgoing)
    }

    func outgoing(for token: Token) -> OutgoingSocket? {
        guard token.kind == .attempt, let object = slots.object(token) else { return nil }
        return object.takeUnretainedValue() as? OutgoingSocket
    }

    /// A socket that ``Driver/connect(to:_:token:)`` opened is connected.
    package func connected(_ token: Token) {
        counters.events += 1
        guard let outgoing = outgoing(for: token) else {
            counters.staleEvents += 1
            return
        }
        outgoing.connected()
    }

    /// A socket that ``Driver/connect(to:_:token:)`` opened could not be connected; the loop closes
    /// it.
    package func connectFailed(_ errno: Int32, on token: Token) {
        counters.events += 1
        guard let outgoing = outgoing(for: token) else {
            counters.staleEvents += 1
            return
        }
        outgoing.failed(SystemError(code: errno, operation: "connect"))
    }
}
