public import ConnPool
public import NetPoll
import Synchronization

/// Calls one or several servers that serve the same, over few connections that all calls share.
///
///     let client = RPCClient(to: .host("greeter.internal", port: 4000), on: group.loops)
///     let reply = try await client.call(Greeter.sayHello, HelloRequest(name: "Ada"))
///
/// Connections are made when calls need them, and again, with backoff, when they are lost. A server
/// that goes away (GOAWAY) gets no more calls while those it has end, and is connected to anew. A call
/// whose connection is lost fails at once, and ``RPCError/execution`` says whether it may have run;
/// where repeating is safe it is repeated.
///
/// Any thread may use it. Letting go of it closes its connections, at once and with all calls on them, as
/// ``close()`` does; what still goes on after a ``drain(deadline:)`` ends as that says.
public final class RPCClient: Sendable {
    /// The settings in force.
    public let configuration: RPCClientConfiguration

    let pool: EndpointPool<RPCLink>
    let lines: LineShelf
    let effort: EffortLedger
    let ledger = CallLedger()
    let chain: InterceptorChain
    let loop: EventLoop
    private let seat: RPCClientSeat

    /// Makes a client of several endpoints.
    ///
    /// - Parameters:
    ///   - endpoints: Where to connect; of one name only the first is taken.
    ///   - loops: Serve the connections, in turn; timers are the first one's.
    ///   - configuration: Bounds, times and policies.
    ///   - handlers: What the servers may call here, where they know the extensions.
    ///   - address: Where an endpoint is.
    /// - Precondition: There is a loop, and the configuration's values make sense.
    public init(
        endpoints: [Endpoint], on loops: [EventLoop],
        configuration: RPCClientConfiguration = .init(), handlers: RPCHandlers = .init(),
        address: @escaping @Sendable (Endpoint) -> TCPEndpoint
    ) {
        precondition(!loops.isEmpty, "a client on no loop")
        configuration.check()
        self.configuration = configuration
        loop = loops[0]
        lines = LineShelf(
            callsMax: configuration.callsMax, whenFull: configuration.whenFull, loop: loops[0])
        let seat = RPCClientSeat(lines)
        self.seat = seat
        effort = EffortLedger(configuration)
        chain = InterceptorChain(interceptors: configuration.interceptors)
        let dialling = RPCDialling(
            configuration: configuration.connection, connecting: configuration.connecting,
            resolver: configuration.resolver, table: handlers.table, seat: seat)
        let turn = LoopTurn(loops)
        pool = EndpointPool(
            endpoints: endpoints, configuration: configuration.endpoints, on: loops[0]
        ) { endpoint in
            PoolConnector { reporter in
                try await dialling.connect(
                    to: address(endpoint), on: turn.next(), reporter: reporter)
            } close: { link, reason in
                link.end(reason, seat)
            }
        }
    }

    /// Makes a client of one endpoint.
    ///
    /// - Parameters:
    ///   - endpoint: Where to connect.
    ///   - loops: Serve the connections, in turn.
    ///   - configuration: Bounds, times and policies.
    ///   - handlers: What the server may call here, where it knows the extensions.
    public convenience init(
        to endpoint: TCPEndpoint, on loops: [EventLoop],
        configuration: RPCClientConfiguration = .init(), handlers: RPCHandlers = .init()
    ) {
        self.init(
            endpoints: [Endpoint(name: "\(endpoint)")], on: loops, configuration: configuration,
            handlers: handlers
        ) { _ in endpoint }
    }

    deinit {
        seat.letGo()
        lines.close()
    }

    // MARK: - Endpoints

    /// Adds an endpoint.
    ///
    /// - Returns: Whether it was added: not where its name is taken or the client is drained.
    @discardableResult
    public func add(_ endpoint: Endpoint) -> Bool {
        defer { lines.renew() }
        return pool.add(endpoint)
    }

    /// Removes an endpoint: it gets no more calls, and those it has are awaited for `deadline`; then
    /// its connections are closed. Returns when none is left, but for those that ``drain(deadline:)``
    /// does not wait for either.
    ///
    /// - Returns: Whether there was one of this name.
    @discardableResult
    public func remove(_ name: String, deadline: Duration = .seconds(10)) async -> Bool {
        await pool.remove(name, drainUntil: pool.now + deadline) { lines.renew() }
    }

    // MARK: - The end

    /// Takes no more calls, and awaits those in flight for `deadline`; then connections are closed,
    /// and calls that are left fail. Servers that know the extensions are told.
    ///
    /// Returns when every connection was given up. What goes on there, and on connections given up before,
    /// ends at `deadline` too: calls of the server's that run here, what their handlers call there, and
    /// one-way calls that a plain server has not answered, these no longer than for
    /// ``RPCConfiguration/callTimeout`` (where that is `nil`, the `closeTimeout` of
    /// ``RPCConfiguration/connection``).
    ///
    /// - Parameter deadline: How long calls may take to end. Default 10 s.
    public func drain(deadline: Duration = .seconds(10)) async {
        let end = pool.now + deadline
        seat.drain(until: end)
        lines.close()
        await pool.drain(until: end)
    }

    /// Closes connections at once, those given up before too; calls in flight fail, of both sides.
    public func close() async {
        seat.leave()
        lines.close()
        await pool.close()
    }

    // MARK: - Observation

    /// What it holds and did; O(connections).
    public var snapshot: RPCClientSnapshot {
        let counts = lines.counts
        let effort = effort.counts
        return RPCClientSnapshot(
            inFlight: counts.inFlight, waiting: counts.waiting, refused: counts.refused,
            retries: effort.retries, hedges: effort.hedges, budget: effort.budget,
            isBroken: effort.isBroken, pool: pool.snapshot)
    }
}

/// Takes loops in turn.
private final class LoopTurn: Sendable {
    private let loops: [EventLoop]
    private let number = Atomic<Int>(0)

    init(_ loops: [EventLoop]) {
        self.loops = loops
    }

    func next() -> EventLoop {
        let index = number.wrappingAdd(1, ordering: .relaxed).oldValue
        return loops[Int(UInt(bitPattern: index) % UInt(loops.count))]
    }
}
