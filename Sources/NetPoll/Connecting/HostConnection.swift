/// A connection to a host, and which of its addresses it leads to.
package struct ConnectedHost {
    package let connection: Connection
    package let address: SocketAddress

    package init(connection: Connection, address: SocketAddress) {
        self.connection = connection
        self.address = address
    }
}

/// Connects to a host by name: carries out what ``HappyEyeballs`` decides.
///
/// Its slot keeps it alive, and lets the resolver's answers find it from other threads.
final class HostConnection: TimerTarget, TurnTarget, Abandonable {
    typealias Completion = (Result<ConnectedHost, ConnectError>) -> Void

    private let loop: EventLoop
    private let token: Token
    private let host: String
    private let configuration: ConnectConfiguration
    private var completion: Completion?
    private var core = HappyEyeballs()
    private var attempts: [ConnectAttempt] = []
    /// The addresses of those that have not ended.
    private var underWay: [SocketAddress] = []
    private var deadline: TimerID?
    private var pause: TimerID?
    private var lastError: ConnectError?
    private var resolveError: ResolveError?

    init(
        loop: EventLoop, token: Token, host: String, configuration: ConnectConfiguration,
        completion: @escaping Completion
    ) {
        self.loop = loop
        self.token = token
        self.host = host
        self.configuration = configuration
        self.completion = completion
    }

    func start(port: UInt16, _ resolver: any Resolver) {
        guard !loop.isStopped else {
            loop.runAtEndOfTurn(self)
            return
        }
        deadline = loop.schedule(after: configuration.timeout, self)
        // A socket that is bound to an address of one family connects to no other.
        let only = configuration.localAddress?.family
        // IPv6 is asked for first (RFC 8305 §3).
        for family in [AddressFamily.v6, .v4] {
            guard only == nil || only == family else {
                core.answered(family, [], at: loop.now)
                continue
            }
            resolver.resolve(host, port: port, family: family) { [loop, token] result in
                // Posted even from the loop's own thread: a resolver may answer from its memory,
                // and the completion must not be called from within connect. Refused where the
                // loop was shut down, and then the attempt was ended.
                loop.execute { loop.hostConnection(for: token)?.answered(family, result) }
            }
        }
    }

    private func answered(
        _ family: AddressFamily, _ result: Result<[SocketAddress], ResolveError>
    ) {
        var found: [SocketAddress] = []
        switch result {
        case .success(let addresses): found = addresses
        case .failure(let error):
            // "No such host" says less than any other failure.
            if resolveError == nil || error != .notFound { resolveError = error }
        }
        core.answered(family, found, at: loop.now)
        proceed()
    }

    private func proceed() {
        if let pause { loop.cancel(pause) }
        pause = nil
        while completion != nil {
            switch core.next(at: loop.now) {
            case .start(let address):
                underWay.append(address)
                attempts.append(
                    loop.connect(to: address, configuration: configuration) { [self] in
                        attemptEnded($0, address)
                    })
            case .wait(let moment):
                pause = loop.schedule(after: moment - loop.now, self)
                return
            case .waitForInput: return
            case .fail:
                let reason = lastError?.reason ?? .unresolved(resolveError ?? .notFound)
                finish(.failure(ConnectError(reason, to: lastError?.address, host: host)))
            }
        }
    }

    private func attemptEnded(_ result: Result<Connection, ConnectError>, _ address: SocketAddress)
    {
        switch result {
        case .success(let connection):
            guard completion != nil else {
                connection.abort()
                return
            }
            finish(.success(ConnectedHost(connection: connection, address: address)))
        case .failure(let error):
            // Losers that were given up end here too.
            guard completion != nil else { return }
            underWay.removeAll { $0 == address }
            lastError = error
            core.failed()
            proceed()
        }
    }

    func abandon(_ reason: ConnectError.Reason) {
        let address = underWay.last ?? lastError?.address
        finish(.failure(ConnectError(reason, to: address, host: host)))
    }

    private func timedOut() {
        // Where only the resolver is still silent, what was tried says more.
        let failed = underWay.isEmpty ? lastError?.reason : nil
        abandon(failed ?? .timedOut)
    }

    func turnEnded(on loop: EventLoop) { abandon(.shutdown) }

    func timerFired(_ id: TimerID, on loop: EventLoop) {
        if id == pause {
            pause = nil
            proceed()
        } else {
            deadline = nil
            timedOut()
        }
    }

    private func finish(_ result: Result<ConnectedHost, ConnectError>) {
        guard let completion else { return }
        self.completion = nil
        for timer in [deadline, pause] {
            if let timer { loop.cancel(timer) }
        }
        (deadline, pause) = (nil, nil)
        let losers = attempts
        attempts = []
        for attempt in losers { attempt.cancel() }
        loop.slots.remove(token)
        completion(result)
    }
}

extension EventLoop {
    /// Connects to `host`, a name or a numeric address, over TCP.
    ///
    /// A name is resolved off the loop, IPv6 and IPv4 at once; the addresses are tried with Happy
    /// Eyeballs v2 (RFC 8305): families take turns, the next attempt starts 250 ms after the last
    /// or when it failed, and the first to connect wins. ``ConnectConfiguration/timeout`` bounds
    /// all of it. With a ``ConnectConfiguration/localAddress`` only addresses of its family are asked
    /// for. The completion is called as in ``connect(to:configuration:completion:)``.
    @discardableResult
    public func connect(
        host: String, port: UInt16, configuration: ConnectConfiguration = .init(),
        resolver: any Resolver = SystemResolver.shared,
        completion: @escaping (Result<Connection, ConnectError>) -> Void
    ) -> ConnectAttempt {
        connectToHost(host, port: port, configuration: configuration, resolver: resolver) {
            completion($0.map(\.connection))
        }
    }

    /// As ``connect(host:port:configuration:resolver:completion:)``, and tells which of the host's
    /// addresses it was.
    package func connectToHost(
        _ host: String, port: UInt16, configuration: ConnectConfiguration,
        resolver: any Resolver,
        completion: @escaping (Result<ConnectedHost, ConnectError>) -> Void
    ) -> ConnectAttempt {
        if let address = Platform.parse(host: host, port: port) {
            return connect(to: address, configuration: configuration) {
                completion($0.map { ConnectedHost(connection: $0, address: address) })
            }
        }
        checkCurrent()
        precondition(
            configuration.timeout > .zero, "connect timeout of \(configuration.timeout)")
        let token = slots.reserveToken(kind: .attempt)
        let connection = HostConnection(
            loop: self, token: token, host: host, configuration: configuration,
            completion: completion)
        slots.insert(connection, at: token)
        connection.start(port: port, resolver)
        return ConnectAttempt(connection)
    }

    fileprivate func hostConnection(for token: Token) -> HostConnection? {
        guard let object = slots.object(token) else { return nil }
        return object.takeUnretainedValue() as? HostConnection
    }
}
