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
    ///   - seat: What says for how long its calls may go on.
    func end(_ reason: PoolCloseReason, _ seat: RPCClientSeat) {
        guard reason.isOrderly else { return connection.close() }
        let peer = connection.peer
        // Leased still, it is the end of a drain's time. What else is awaited was called by handlers.
        let isLeased = lines.load(ordering: .relaxed) > 0
        peer.loop.execute {
            peer.stopCalling()
            guard !peer.isClosed, !peer.core.isIdle else { return }
            guard !isLeased || !peer.isAwaited else { return peer.connection.abort() }
            // Its end would cancel one-way calls at a peer that answers them.
            if peer.core.outgoing.count > 0 { peer.boundUnawaited() }
            seat.gaveUp(peer)
        }
    }
}

/// What the dials of a client have in common.
struct RPCDialling: Sendable {
    let configuration: RPCConfiguration
    let connecting: ConnectConfiguration
    let resolver: any Resolver
    let table: MethodTable
    let seat: RPCClientSeat

    /// Makes a connection of a pool.
    ///
    /// - Parameters:
    ///   - endpoint: Where to.
    ///   - loop: Serves the connection.
    ///   - reporter: Told of its capacity and its end.
    /// - Returns: The connection.
    /// - Throws: Why there is none.
    func connect(
        to endpoint: TCPEndpoint, on loop: EventLoop, reporter: ConnectionReporter
    ) async throws(ConnectError) -> RPCLink {
        let settings = configuration.applied(to: connecting)
        let dial = EndpointDial(to: endpoint, on: loop, settings, resolver) { connected in
            self.link(connected.connection, reporter)
        }
        return try await dial.connect().get()
    }

    private func link(_ connection: Connection, _ reporter: ConnectionReporter) -> RPCLink {
        let mailbox = LoopMailbox(connection.loop)
        let departure = RPCLink.Departure()
        let peer = PeerConnection(
            connection, role: .client, configuration: configuration, table: table,
            mailbox: mailbox, shelf: ServedCallShelf(mailbox)
        ) { [seat] peer in
            departure.begin()
            reporter.closed()
            seat.closed(peer)
        }
        peer.onCapacity = { [seat] capacity in
            if capacity == 0 { departure.begin() }
            reporter.setCapacity(capacity)
            if capacity == 0 { seat.renew() }
        }
        connection.handler = peer
        return RPCLink(RPCConnection(peer), departure)
    }
}
