import ConnPool
import NetPoll
import Synchronization

/// A connection of a client's pool.
final class RPCLink: Sendable {
    /// What its connection's callbacks set.
    final class Departure: Sendable {
        private let isSet = Atomic<Bool>(false)

        func begin() { isSet.store(true, ordering: .relaxed) }

        var hasBegun: Bool { isSet.load(ordering: .relaxed) }
    }

    let connection: RPCConnection
    private let departure: Departure
    /// The lines on it.
    private let lines = Atomic<Int>(0)

    init(_ connection: RPCConnection, _ departure: Departure) {
        self.connection = connection
        self.departure = departure
    }

    /// Whether it takes no more calls: it was lost, or the server goes away.
    var isLeaving: Bool { departure.hasBegun }

    /// A line leads here.
    func leased() { lines.add(1, ordering: .relaxed) }

    /// A line leads here no longer.
    func returned() { lines.subtract(1, ordering: .relaxed) }

    /// The pool gave it up.
    ///
    /// - Parameters:
    ///   - reason: Why.
    ///   - patience: What is waited for.
    func end(_ reason: PoolCloseReason, _ patience: RPCClientSeat.Patience) {
        guard reason.isOrderly else { return connection.close() }
        let peer = connection.peer
        // Leased still, it is the end of a drain's time. What else is awaited was called by handlers.
        let isLeased = lines.load(ordering: .relaxed) > 0
        peer.loop.execute {
            peer.stopCalling()
            guard !peer.isClosed, !peer.core.isIdle else { return }
            guard !isLeased || !peer.isAwaited, patience != .nothing else {
                return peer.connection.abort()
            }
            // Its end would cancel one-way calls at a peer that answers them.
            if peer.core.outgoing.count > 0 { peer.boundUnawaited() }
            guard case .until(let end) = patience else { return }
            peer.loop.schedule(after: max(.zero, end - peer.loop.now), DrainEnd(peer))
        }
    }
}

/// The time of a drain is over: what nobody here awaits has to end, too.
private final class DrainEnd: TimerTarget {
    private weak let peer: PeerConnection?

    init(_ peer: PeerConnection) {
        self.peer = peer
    }

    func timerFired(_ id: TimerID, on loop: EventLoop) {
        guard let peer, !peer.isClosed else { return }
        peer.connection.abort()
    }
}

/// What the dials of a client have in common.
struct RPCDialling: Sendable {
    let configuration: RPCConfiguration
    let connecting: ConnectConfiguration
    let resolver: any Resolver
    let table: MethodTable

    /// Makes a connection of a pool.
    ///
    /// - Parameters:
    ///   - endpoint: Where to.
    ///   - loop: Serves the connection.
    ///   - reporter: Told of its capacity and its end.
    ///   - whenLeaving: Called when it takes no more calls, on its loop.
    /// - Returns: The connection.
    /// - Throws: Why there is none.
    func connect(
        to endpoint: TCPEndpoint, on loop: EventLoop, reporter: ConnectionReporter,
        whenLeaving: @escaping @Sendable () -> Void
    ) async throws(ConnectError) -> RPCLink {
        let settings = configuration.applied(to: connecting)
        let dial = EndpointDial(to: endpoint, on: loop, settings, resolver) { connected in
            self.link(connected.connection, reporter, whenLeaving)
        }
        return try await dial.connect().get()
    }

    private func link(
        _ connection: Connection, _ reporter: ConnectionReporter,
        _ whenLeaving: @escaping @Sendable () -> Void
    ) -> RPCLink {
        let mailbox = LoopMailbox(connection.loop)
        let departure = RPCLink.Departure()
        let peer = PeerConnection(
            connection, role: .client, configuration: configuration, table: table,
            mailbox: mailbox, shelf: ServedCallShelf(mailbox)
        ) { _ in
            departure.begin()
            reporter.closed()
            whenLeaving()
        }
        peer.onCapacity = { capacity in
            if capacity == 0 { departure.begin() }
            reporter.setCapacity(capacity)
            if capacity == 0 { whenLeaving() }
        }
        connection.handler = peer
        return RPCLink(RPCConnection(peer), departure)
    }
}
