/// A listening socket of one loop; its connections live on the same loop.
///
/// Not `Sendable`: used on ``loop`` only. See ``ListenerGroup`` for one listener per loop.
public final class Listener {
    /// The loop that accepts.
    public let loop: EventLoop

    /// The address it listens on, with the port the kernel chose where 0 was asked for.
    public let address: SocketAddress

    /// The listening socket, to be passed to a successor (``Connection/send(descriptor:mark:)``);
    /// open until ``close()``, which does not end a duplicate of it elsewhere.
    public var descriptor: Int32 { socket.rawValue }

    let settings: ConnectionSettings
    let makeHandler: @Sendable (Connection, SocketAddress) -> any ConnectionHandler

    /// The settings on each loop to hand connections to; `nil` where this loop takes all.
    let targets: [ConnectionSettings]?
    // Used for every connection, on the loop's thread only, by accesses that call nothing.
    @exclusivity(unchecked) var rate: RateLimit?
    @exclusivity(unchecked) var batch = AcceptBatch()

    private let token: Token
    let socket: SocketHandle
    private let exhaustion: ExhaustionPolicy
    /// What goes when it is closed.
    private let socketFile: SocketFile?
    private var resumption: Resumption?
    /// Whether it was told to close; it may have connections to deliver yet.
    private(set) var isClosed = false
    /// Whether it is closed and has delivered all that was accepted.
    private var isOver = false
    /// Whether its user has enough connections for now.
    private var isHeld = false
    /// Called once, when the listener is closed and has delivered all that was accepted.
    var onClose: (() -> Void)?

    init(
        loop: EventLoop, token: Token, socket: SocketHandle, address: SocketAddress,
        configuration: Configuration, isAdopted: Bool, targets: [EventLoop]?,
        makeHandler: @escaping @Sendable (Connection, SocketAddress) -> any ConnectionHandler
    ) {
        self.loop = loop
        rate = configuration.acceptsPerSecondMax.map {
            RateLimit(perSecond: $0, burst: configuration.acceptBurstMax, now: loop.now)
        }
        self.token = token
        self.socket = socket
        self.address = address
        self.makeHandler = makeHandler
        exhaustion = configuration.exhaustion
        let removesFile = configuration.removesSocketFile ?? !isAdopted
        socketFile = removesFile ? SocketFile(of: address) : nil
        let balancer = targets.map { Balancer(configuration.balancing, loops: $0.count) }
        settings = ConnectionSettings(loop: loop, limits: configuration.limits, balancer: balancer)
        self.targets = targets?.map {
            ConnectionSettings(loop: $0, limits: configuration.limits, balancer: balancer)
        }
    }

    /// Stops accepting and closes the listening socket; accepted connections live on.
    ///
    /// Connections still in the kernel's backlog are reset by it, unless another process has a
    /// duplicate of the socket. Those that the kernel had accepted for this listener are served: with
    /// ``DriverChoice/ioUring`` they may come to their handlers in the turns that follow.
    public func close() {
        guard !isClosed else { return }
        isClosed = true
        if let timer = resumption?.timer { loop.cancel(timer) }
        resumption = nil
        // Before it is closed: until then another's file can be told from it.
        socketFile?.remove()
        let isAll = driver.closeListener(socket, token: token)
        if isAll { end() }
    }

    /// As ``close()``; calls `done` when all that was accepted is delivered.
    package func close(_ done: @escaping () -> Void) {
        close()
        if isOver { done() } else { onClose = done }
    }

    /// Nothing more is accepted or delivered.
    func end() {
        guard !isOver else { return }
        isOver = true
        loop.slots.remove(token)
        onClose?()
        onClose = nil
    }

    /// Stops accepting until the user wants more connections, who wait in the backlog meanwhile.
    func setHeld(_ held: Bool) {
        guard !isClosed, held != isHeld else { return }
        isHeld = held
        if resumption == nil { driver.setAccepting(!held, socket, token: token) }
    }

    private var driver: any Driver { loop.driver }

    /// Descriptors or memory are exhausted, or the accept failed for another reason.
    func acceptFailed(_ errno: Int32) {
        guard Platform.isExhaustion(errno) else {
            // The connection was lost before it was accepted (accept(2)): the next one may do.
            return
        }
        switch exhaustion {
        case .shed:
            var budget = loop.configuration.acceptsPerTurnMax
            var isShedding = true
            while budget > 0, isShedding {
                isShedding = driver.shed(socket)
                if isShedding { loop.counters.shed += 1 }
                budget -= 1
            }
            if budget == loop.configuration.acceptsPerTurnMax - 1, !isShedding {
                pause(.milliseconds(50))
            }
        case .pause(let duration):
            pause(duration)
        }
    }

    /// How many connections may be accepted in this turn. Where the rate is used up, the listener
    /// pauses until one may be.
    var acceptBudget: Int {
        guard rate != nil else { return loop.configuration.acceptsPerTurnMax }
        let available = rate?.available(at: loop.now) ?? 0
        if available <= 0, let wait = rate?.wait { stopAccepting(for: wait) }
        return max(0, min(available, loop.configuration.acceptsPerTurnMax))
    }

    private func pause(_ duration: Duration) {
        var random = loop.random
        let jitter = Int64.random(in: 0...max(0, duration.inNanoseconds), using: &random)
        stopAccepting(for: duration + .nanoseconds(jitter))
    }

    private func stopAccepting(for duration: Duration) {
        guard resumption == nil else { return }
        loop.counters.acceptPauses += 1
        driver.setAccepting(false, socket, token: token)
        let resumption = Resumption(self)
        resumption.timer = loop.schedule(after: duration, resumption)
        self.resumption = resumption
    }

    fileprivate func resume() {
        resumption = nil
        if !isHeld { driver.setAccepting(true, socket, token: token) }
    }

    /// The end of a pause.
    private final class Resumption: TimerTarget {
        unowned let listener: Listener
        var timer: TimerID?

        init(_ listener: Listener) {
            self.listener = listener
        }

        func timerFired(_ id: TimerID, on loop: EventLoop) {
            listener.resume()
        }
    }
}

extension EventLoop {
    /// Listens on `address`; `makeHandler` is called on this loop for each accepted connection,
    /// with the peer's address.
    ///
    /// - Throws: ``SystemError``, for example EADDRINUSE or EACCES.
    @discardableResult
    public func listen(
        on address: SocketAddress, configuration: Listener.Configuration = .init(),
        makeHandler: @escaping @Sendable (Connection, SocketAddress) -> any ConnectionHandler
    ) throws(SystemError) -> Listener {
        try listen(
            ListenPlace(source: .address(address)), configuration, makeHandler: makeHandler)
    }

    /// Accepts on a socket that listens already: one that a predecessor passed, or that a service
    /// manager opened (``SocketActivation``). The listener owns it from here on, but for a Unix socket's
    /// file (``Listener/Configuration/removesSocketFile``); where this throws it stays the caller's.
    ///
    /// - Throws: ``SystemError``: EBADF, ENOTSOCK, or EINVAL where it is no listening stream socket;
    ///   EOPNOTSUPP on a simulated network.
    @discardableResult
    public func listen(
        adopting descriptor: Int32, configuration: Listener.Configuration = .init(),
        makeHandler: @escaping @Sendable (Connection, SocketAddress) -> any ConnectionHandler
    ) throws(SystemError) -> Listener {
        try listen(
            ListenPlace(source: .descriptor(descriptor)), configuration, makeHandler: makeHandler)
    }

    func listen(
        _ place: ListenPlace, _ configuration: Listener.Configuration,
        makeHandler: @escaping @Sendable (Connection, SocketAddress) -> any ConnectionHandler
    ) throws(SystemError) -> Listener {
        checkCurrent()
        precondition(configuration.backlog > 0, "backlog of \(configuration.backlog)")
        guard !isStopped else {
            throw Platform.cancelledError("listen on a loop that was shut down")
        }
        let token = slots.reserveToken(kind: .listener)
        let options = ListenOptions(
            backlog: Int32(clamping: configuration.backlog), sharesPort: place.sharesPort,
            joinsShared: place.sharesPort && index > 0,
            isRated: configuration.acceptsPerSecondMax != nil,
            socket: configuration.options)
        let (socket, bound): (SocketHandle, SocketAddress)
        let isAdopted: Bool
        switch place.source {
        case .address(let address):
            isAdopted = false
            (socket, bound) = try driver.listen(on: address, options, token: token)
        case .descriptor(let descriptor):
            isAdopted = true
            socket = SocketHandle(rawValue: descriptor)
            bound = try Socket.adoptListener(descriptor)
            if bound.port != nil { Socket.apply(configuration.options, descriptor) }
            try driver.adoptListener(socket, options, token: token)
        }
        let listener = Listener(
            loop: self, token: token, socket: socket, address: bound, configuration: configuration,
            isAdopted: isAdopted, targets: place.targets, makeHandler: makeHandler)
        slots.insert(listener, at: token)
        return listener
    }
}
