internal import NetPoll

/// One dial of a ``TCPConnectionPool``.
///
/// `@unchecked Sendable`: its state is touched on its loop only.
final class TCPDial: @unchecked Sendable {
    typealias Outcome = Result<AsyncConnection, ConnectError>

    private let endpoint: TCPEndpoint
    private let loop: EventLoop
    private let configuration: ConnectConfiguration
    private let resolver: any Resolver
    private let reporter: ConnectionReporter
    private let tellsUnasked: Bool
    private var attempt: ConnectAttempt?
    private var isCancelled = false

    init(
        _ endpoint: TCPEndpoint, _ loop: EventLoop, _ configuration: ConnectConfiguration,
        _ resolver: any Resolver, _ reporter: ConnectionReporter, tellsUnasked: Bool
    ) {
        self.endpoint = endpoint
        self.loop = loop
        self.configuration = configuration
        self.resolver = resolver
        self.reporter = reporter
        self.tellsUnasked = tellsUnasked
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
            waiter.resume(returning: .failure(ConnectError(.cancelled, to: nil)))
            return
        }
        let completion = { [self] (result: Result<ConnectedHost, ConnectError>) in
            attempt = nil
            waiter.resume(returning: result.map(watch))
        }
        attempt =
            switch endpoint {
            case .address(let address):
                loop.connect(to: address, configuration: configuration) { result in
                    completion(result.map { ConnectedHost(connection: $0, address: address) })
                }
            case .host(let host, let port):
                loop.connectToHost(
                    host, port: port, configuration: configuration, resolver: resolver,
                    completion: completion)
            }
    }

    /// Sees to it that the pool hears of the connection from the first event on.
    private func watch(_ connected: ConnectedHost) -> AsyncConnection {
        let core = AsyncConnectionCore(connected.connection, from: connected.address)
        connected.connection.handler = WatchedConnection(
            core, reporter, tellsUnasked: tellsUnasked)
        return AsyncConnection(core)
    }

    private func cancel() {
        isCancelled = true
        attempt?.cancel()
    }
}
