public import Hub
public import NetPoll
public import ServiceLifecycle

/// Serves a hub as one of a program's services: drains it when they shut down gracefully.
///
/// ```swift
/// let services = ServiceGroup(
///     services: [
///         ClosingService { await store.close() },
///         HubService(hub, on: address, sockets: try await HubSockets.take(on: loops)),
///     ],
///     gracefulShutdownSignals: [.sigterm, .sigint], logger: logger)
/// try await services.run()
/// await loops.shutdown()
/// ```
///
/// Services shut down one after another, the last first, so that what a hub stands on comes before it;
/// its loops end when all services have.
public struct HubService: Service {
    private let hub: HubServer
    private let address: SocketAddress
    private let sockets: HubSockets
    private let deadline: Duration
    private let spread: Duration
    private let whenListening: @Sendable (SocketAddress) -> Void

    /// Creates a service that has not begun.
    ///
    /// - Parameters:
    ///   - hub: What is served.
    ///   - address: Where to listen, unless `sockets` were taken over.
    ///   - sockets: Those to listen on. Where a successor takes them the service ends as if the services
    ///     shut down.
    ///   - deadline: How long draining may take, also where the service is cancelled.
    ///   - spread: Over how long sessions are told to spread their coming again.
    ///   - whenListening: Told the address in force, once.
    public init(
        _ hub: HubServer, on address: SocketAddress, sockets: HubSockets,
        drainingWithin deadline: Duration = .seconds(10),
        reconnectingWithin spread: Duration = .zero,
        whenListening: @escaping @Sendable (SocketAddress) -> Void = { _ in }
    ) {
        self.hub = hub
        self.address = address
        self.sockets = sockets
        self.deadline = deadline
        self.spread = spread
        self.whenListening = whenListening
    }

    /// Listens, serves until the services shut down or a successor has the sockets, and drains.
    ///
    /// - Throws: `SystemError` where it cannot listen.
    public func run() async throws {
        whenListening(try await sockets.listen(hub, on: address))
        await sockets.serve(
            hub, drainingWithin: deadline, reconnectingWithin: spread, until: shutdownBegins)
    }
}
