package import NetPoll

// Outgoing connections: an attempt travels for a while and then finds a listener or not.
extension SimulatedDriver {
    /// A socket that is being connected.
    struct Attempt {
        let address: SocketAddress
        let local: SocketAddress
        let token: Token
    }

    /// How long a client waits before it asks again where a backlog was full (RFC 6298 §2).
    private static var retransmission: Duration { .seconds(1) }

    package func connect(
        to address: SocketAddress, _ options: ConnectOptions, token: Token
    ) throws(SystemError) -> SocketHandle {
        guard drawsDescriptor else {
            throw SystemError(code: Platform.Errno.tooManyFiles, operation: "socket")
        }
        var local =
            options.localAddress
            ?? (address.port == nil ? .unix(path: "") : .v4(0x0100_007f, port: 0))
        if local.port == 0 { local = local.with(port: network.unusedPort()) }
        let handle = takeHandle()
        attempts[handle] = Attempt(address: address, local: local, token: token)
        switch network.route(to: address) {
        case .blackHole: break
        case .delayed(let duration): connects.push(network.drawArrival() + duration, handle)
        case .open, .refused, .unreachable: connects.push(network.drawArrival(), handle)
        }
        return SocketHandle(rawValue: handle)
    }

    /// Whether an attempt has arrived.
    var hasConnects: Bool { connects.first.map { $0 <= network.now } ?? false }

    /// When the next attempt arrives.
    var nextConnect: Instant? { connects.first }

    func finishConnects(_ loop: EventLoop) {
        while let handle = connects.popDue(network.now) {
            // An attempt that was given up meanwhile is gone.
            guard let attempt = attempts[handle] else { continue }
            guard !network.isCut(attempt.local, attempt.address) else {
                connects.push(network.now + Self.retransmission, handle)
                continue
            }
            switch network.route(to: attempt.address) {
            case .blackHole: break
            case .refused: loop.connectFailed(Platform.Errno.connectionRefused, on: attempt.token)
            case .unreachable: loop.connectFailed(Platform.Errno.hostUnreachable, on: attempt.token)
            case .open, .delayed: arrive(attempt, handle, loop)
            }
        }
    }

    private func arrive(_ attempt: Attempt, _ handle: Int32, _ loop: EventLoop) {
        guard network.isTaken(attempt.address) else {
            loop.connectFailed(Platform.Errno.connectionRefused, on: attempt.token)
            return
        }
        guard
            let client = network.open(
                from: attempt.local, to: attempt.address, windowBytes: network.windowBytes)
        else {
            connects.push(network.now + Self.retransmission, handle)
            return
        }
        attempts[handle] = nil
        hold(client, as: handle)
        loop.connected(attempt.token)
    }
}
