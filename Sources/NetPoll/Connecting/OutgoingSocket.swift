/// One socket that is being connected, from the driver's `connect` to its success or failure.
///
///     connecting ──connected──▶ (a Connection)
///         ├──failed, timed out, cancelled, shut down──▶ (gone)
///
/// Its slot keeps it alive; a socket that could not even be opened lives until the end of the turn,
/// so that the completion is never called from within ``EventLoop/connect(to:configuration:completion:)``.
final class OutgoingSocket: TimerTarget, TurnTarget, Abandonable {
    typealias Completion = (Result<Connection, ConnectError>) -> Void

    let loop: EventLoop
    let address: SocketAddress
    let settings: ConnectionSettings
    private(set) var socket: SocketHandle?
    private var token: Token?
    private var timer: TimerID?
    private var failure: SystemError?
    private var completion: Completion?

    init(
        loop: EventLoop, address: SocketAddress, configuration: ConnectConfiguration,
        completion: @escaping Completion
    ) {
        self.loop = loop
        self.address = address
        settings = ConnectionSettings(loop: loop, limits: configuration.limits)
        self.completion = completion
    }

    func start(_ configuration: ConnectConfiguration) {
        guard !loop.isStopped else {
            failure = Platform.cancelledError("connect on a loop that was shut down")
            loop.runAtEndOfTurn(self)
            return
        }
        let options = ConnectOptions(
            localAddress: configuration.localAddress, socket: configuration.options)
        let token = loop.slots.reserveToken(kind: .attempt)
        do {
            socket = try loop.driver.connect(to: address, options, token: token)
        } catch {
            failure = error
            loop.runAtEndOfTurn(self)
            return
        }
        loop.slots.insert(self, at: token)
        self.token = token
        timer = loop.schedule(after: configuration.timeout, self)
    }

    /// The driver connected the socket.
    func connected() {
        guard let socket else { return }
        letGo()
        let own = loop.slots.reserveToken(kind: .connection)
        do {
            try loop.driver.adopt(socket, token: own)
        } catch {
            loop.driver.close(socket, reset: true)
            finish(.failure(ConnectError(error, to: address)))
            return
        }
        let connection = Connection(
            token: own, socket: socket, settings: settings,
            handler: UnhandledConnection.shared)
        loop.slots.insert(connection, at: own)
        loop.counters.connected += 1
        connection.startDeadlines()
        finish(.success(connection))
        if connection.state == .open { connection.handler.opened(connection) }
    }

    func failed(_ error: SystemError) {
        fail(ConnectError(error, to: address))
    }

    func abandon(_ reason: ConnectError.Reason) {
        fail(ConnectError(reason, to: address))
    }

    func timerFired(_ id: TimerID, on loop: EventLoop) {
        timer = nil
        abandon(.timedOut)
    }

    func turnEnded(on loop: EventLoop) {
        if let failure { failed(failure) }
    }

    private func fail(_ error: ConnectError) {
        guard completion != nil else { return }
        if let socket {
            letGo()
            loop.driver.close(socket, reset: false)
        }
        loop.counters.connectFailures += 1
        finish(.failure(error))
    }

    /// Gives slot and timer up; the socket is this object's to pass on or to close.
    private func letGo() {
        if let timer { loop.cancel(timer) }
        timer = nil
        socket = nil
        if let token { loop.slots.remove(token) }
        token = nil
    }

    private func finish(_ result: Result<Connection, ConnectError>) {
        let completion = completion
        self.completion = nil
        completion?(result)
    }
}
