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

    init(_ connection: RPCConnection, _ departure: Departure) {
        self.connection = connection
        self.departure = departure
    }

    /// Whether it takes no more calls: it was lost, or the server goes away.
    var isLeaving: Bool { departure.hasBegun }

    /// The pool gave it up.
    func end(_ reason: PoolCloseReason) {
        guard reason.isOrderly else { return connection.close() }
        let peer = connection.peer
        peer.loop.execute {
            peer.stopCalling()
            // Leased still, it is the end of a drain's time.
            if peer.core.outgoing.count > 0 { peer.connection.abort() }
        }
    }
}

/// What the dials of a client have in common.
struct RPCDialling: Sendable {
    let loops: [EventLoop]
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
        let dial = RPCDial(self, endpoint, loop, reporter, whenLeaving)
        return try await dial.connect().get()
    }
}

/// One dial of a client.
///
/// `@unchecked Sendable`: its state is touched on its loop only.
private final class RPCDial: @unchecked Sendable {
    typealias Outcome = Result<RPCLink, ConnectError>

    private let dialling: RPCDialling
    private let endpoint: TCPEndpoint
    private let loop: EventLoop
    private let reporter: ConnectionReporter
    private let whenLeaving: @Sendable () -> Void
    private var attempt: ConnectAttempt?
    private var isCancelled = false

    init(
        _ dialling: RPCDialling, _ endpoint: TCPEndpoint, _ loop: EventLoop,
        _ reporter: ConnectionReporter, _ whenLeaving: @escaping @Sendable () -> Void
    ) {
        self.dialling = dialling
        self.endpoint = endpoint
        self.loop = loop
        self.reporter = reporter
        self.whenLeaving = whenLeaving
    }

    /// Connects; gives up where its task is cancelled meanwhile.
    func connect() async -> Outcome {
        await withTaskCancellationHandler {
            await withUnsafeContinuation { (waiter: UnsafeContinuation<Outcome, Never>) in
                let willRun = loop.execute { self.start(waiter) }
                if !willRun { waiter.resume(returning: .failure(ConnectError(.shutdown, to: nil))) }
            }
        } onCancel: {
            loop.execute { self.cancel() }
        }
    }

    private func start(_ waiter: UnsafeContinuation<Outcome, Never>) {
        guard !isCancelled else {
            return waiter.resume(returning: .failure(ConnectError(.cancelled, to: nil)))
        }
        var configuration = dialling.connecting
        configuration.limits = dialling.configuration.connection
        let completion = { [self] (result: Result<Connection, ConnectError>) in
            attempt = nil
            waiter.resume(returning: result.map(link))
        }
        attempt =
            switch endpoint {
            case .address(let address):
                loop.connect(to: address, configuration: configuration, completion: completion)
            case .host(let host, let port):
                loop.connect(
                    host: host, port: port, configuration: configuration,
                    resolver: dialling.resolver, completion: completion)
            }
    }

    private func link(_ connection: Connection) -> RPCLink {
        let mailbox = LoopMailbox(loop)
        let (reporter, whenLeaving) = (reporter, whenLeaving)
        let departure = RPCLink.Departure()
        let peer = PeerConnection(
            connection, role: .client, configuration: dialling.configuration,
            table: dialling.table, mailbox: mailbox, shelf: ServedCallShelf(mailbox)
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

    private func cancel() {
        isCancelled = true
        attempt?.cancel()
    }
}
