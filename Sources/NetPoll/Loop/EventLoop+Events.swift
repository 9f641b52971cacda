// What a driver reports.
extension EventLoop {
    /// The connection a token names, without a retain; `nil` for a stale or listener's token.
    @inline(__always)
    func connection(for token: Token) -> Unmanaged<Connection>? {
        guard token.kind == .connection, let object = slots.object(token) else { return nil }
        // A live token of this kind names a Connection: only `accepted` inserts such tokens.
        return Unmanaged.fromOpaque(object.toOpaque())
    }

    /// Brings a connection's memory nearer, before its event is looked at.
    @inline(__always)
    func prefetch(_ token: Token) {
        guard let connection = connection(for: token) else { return }
        Platform.prefetchObject(connection.toOpaque())
    }

    /// The same for its handler, once the connection's own memory should be there.
    @inline(__always)
    func prefetchHandler(_ token: Token) {
        connection(for: token)?._withUnsafeGuaranteedRef { connection in
            // By its address alone: a reference that is copied is counted in the very memory that is not here yet.
            let address = UInt(bitPattern: ObjectIdentifier(connection.handler))
            if let memory = UnsafeRawPointer(bitPattern: address) {
                Platform.prefetchObject(memory)
            }
        }
    }

    func listener(for token: Token) -> Listener? {
        guard token.kind == .listener, let object = slots.object(token) else { return nil }
        // A live token of this kind names a Listener: only that inserts such tokens.
        return unsafeDowncast(object.takeUnretainedValue(), to: Listener.self)
    }

    /// How many connections a driver may still accept for this listener in this turn.
    package func acceptBudget(_ token: Token) -> Int {
        listener(for: token)?.acceptBudget ?? 0
    }

    /// As ``acceptBudget(_:)``, for a driver that learns only from an accept that none waits.
    func acceptBatch(_ token: Token) -> Int {
        guard let listener = listener(for: token) else { return 0 }
        return min(listener.acceptBudget, listener.batch.size)
    }

    /// A batch was accepted, up to its size or until none waited.
    func acceptedBatch(_ accepted: Int, foundNone: Bool, on token: Token) {
        listener(for: token)?.batch.ended(accepted: accepted, foundNone: foundNone)
    }

    /// A connection was accepted.
    package func accepted(_ socket: SocketHandle, from address: SocketAddress, on token: Token) {
        counters.events += 1
        guard let listener = listener(for: token) else {
            counters.staleEvents += 1
            driver.close(socket, reset: true)
            return
        }
        listener.rate?.take()
        guard let balancer = listener.settings.balancer else {
            admit(socket, from: address, listener.settings, listener.makeHandler)
            return
        }
        let chosen = balancer.choose(for: address)
        guard let settings = listener.targets?[chosen], settings.loop !== self else {
            admit(socket, from: address, listener.settings, listener.makeHandler)
            return
        }
        driver.release(socket)
        let (target, makeHandler) = (settings.loop, listener.makeHandler)
        let willRun = target.execute {
            target.admit(socket, from: address, settings, makeHandler)
        }
        if !willRun {
            driver.close(socket, reset: true)
            balancer.ended(on: chosen)
        }
    }

    /// Registers a connection that this loop or another one accepted.
    private func admit(
        _ socket: SocketHandle, from address: SocketAddress, _ settings: ConnectionSettings,
        _ makeHandler: @Sendable (Connection, SocketAddress) -> any ConnectionHandler
    ) {
        let own = slots.reserveToken(kind: .connection)
        do {
            guard !isStopped else {
                throw Platform.cancelledError("accept on a loop that was shut down")
            }
            try driver.adopt(socket, token: own)
        } catch {
            counters.acceptFailures += 1
            driver.close(socket, reset: true)
            settings.balancer?.ended(on: index)
            return
        }
        let connection = Connection(
            token: own, socket: socket, settings: settings,
            handler: UnhandledConnection.shared)
        slots.insert(connection, at: own)
        counters.accepted += 1
        connection.startDeadlines()
        connection.handler = makeHandler(connection, address)
        if connection.state == .open { connection.handler.opened(connection) }
    }

    /// All that was accepted for a listener that is closed is delivered.
    package func acceptsEnded(_ token: Token) { listener(for: token)?.end() }

    /// An accept failed with this `errno`; the driver goes on only when it is told to.
    package func acceptFailed(_ errno: Int32, on token: Token) {
        counters.events += 1
        guard let listener = listener(for: token) else { return }
        counters.acceptFailures += 1
        listener.acceptFailed(errno)
    }

    /// `bytes` arrived.
    ///
    /// - Returns: Whether the driver may receive more from this connection.
    package func received(_ bytes: UnsafeMutableRawBufferPointer, on token: Token) -> Bool {
        counters.events += 1
        guard let unmanaged = connection(for: token) else {
            counters.staleEvents += 1
            return false
        }
        counters.receives += 1
        return unmanaged._withUnsafeGuaranteedRef { connection in
            // A closing connection's bytes are read only to see its end.
            guard connection.state == .open else { return connection.state == .closing }
            connection.noteReceived()
            // The memory is the loop's receive buffer, which nothing else uses during the call.
            var span = MutableRawSpan(_unsafeBytes: bytes)
            connection.handler.received(&span, on: connection)
            return connection.state != .closed && !connection.flags.contains(.readingPaused)
        }
    }

    /// The peer sent end-of-file.
    package func receivedEnd(_ token: Token) {
        counters.events += 1
        guard let connection = connection(for: token)?.takeUnretainedValue() else {
            counters.staleEvents += 1
            return
        }
        guard connection.state != .closed, !connection.flags.contains(.readEnded) else { return }
        connection.flags.insert(.readEnded)
        driver.setReceiving(false, connection.socket, token: token)
        if connection.flags.contains(.writeEnded) {
            terminate(connection, reasonOfEnd(connection))
        } else if connection.state == .open {
            connection.handler.receivedEnd(on: connection)
        }
    }

    /// The kernel takes bytes again.
    package func sendable(_ token: Token) {
        counters.events += 1
        if token.kind == .datagram {
            datagramSocket(for: token)?.sendable()
            return
        }
        guard let connection = connection(for: token)?.takeUnretainedValue() else {
            counters.staleEvents += 1
            return
        }
        guard connection.state != .closed else { return }
        sendQueued(connection)
    }

    /// The connection is broken, with this `errno`.
    package func failed(_ errno: Int32, on token: Token) {
        counters.events += 1
        if let socket = datagramSocket(for: token) {
            socket.handler.failed(SystemError(code: errno, operation: "receive"), on: socket)
            return
        }
        guard let connection = connection(for: token)?.takeUnretainedValue() else {
            counters.staleEvents += 1
            return
        }
        terminate(connection, reason(ofBroken: errno))
    }

    func reason(ofBroken errno: Int32) -> CloseReason {
        Platform.isReset(errno)
            ? .reset : .failed(SystemError(code: errno, operation: "connection"))
    }

    func setReceiving(_ receiving: Bool, _ connection: Connection) {
        driver.setReceiving(receiving, connection.socket, token: connection.token)
    }
}

/// Stands in for a handler before there is one and after the connection ended, so that a closed
/// connection keeps no handler alive.
final class UnhandledConnection: ConnectionHandler, Sendable {
    static let shared = UnhandledConnection()

    func received(_ bytes: inout MutableRawSpan, on connection: Connection) {}
}

extension EventLoop {
    /// The token of a registration that lives, from its ``Token/place``.
    @inline(__always)
    func token(at place: UInt32) -> Token {
        Token(place: place, generation: slots.generation(Int(place & 0x1fff_ffff)))
    }

    /// The descriptor a token names while its registration lives.
    @inline(__always)
    func descriptor(of token: Token) -> Int32? {
        guard let object = slots.object(token) else { return nil }
        switch token.kind {
        case .connection:
            return connection(for: token)?._withUnsafeGuaranteedRef { $0.socket.rawValue }
        case .listener:
            return object._withUnsafeGuaranteedRef { ($0 as? Listener)?.socket.rawValue }
        case .attempt:
            return outgoing(for: token)?.socket?.rawValue
        case .datagram:
            return datagramSocket(for: token)?.socket.rawValue
        }
    }
}
