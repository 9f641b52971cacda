package import NetPoll

/// One dial to an endpoint, which a task waits for.
///
/// `@unchecked Sendable`: its state is touched on its loop only.
package final class EndpointDial<Made: Sendable>: @unchecked Sendable {
    package typealias Outcome = Result<Made, ConnectError>

    private let endpoint: TCPEndpoint
    private let loop: EventLoop
    private let configuration: ConnectConfiguration
    private let resolver: any Resolver
    private let make: @Sendable (ConnectedHost) -> Made
    private var attempt: ConnectAttempt?
    private var isCancelled = false

    /// - Parameters:
    ///   - endpoint: Where to.
    ///   - loop: Serves the connection.
    ///   - configuration: How it is connected, and its limits.
    ///   - resolver: Finds the addresses of a host.
    ///   - make: Makes of the new connection what the dial gives, handler and all; called on the loop.
    package init(
        to endpoint: TCPEndpoint, on loop: EventLoop, _ configuration: ConnectConfiguration,
        _ resolver: any Resolver, _ make: @escaping @Sendable (ConnectedHost) -> Made
    ) {
        self.endpoint = endpoint
        self.loop = loop
        self.configuration = configuration
        self.resolver = resolver
        self.make = make
    }

    /// Connects; gives up where its task is cancelled meanwhile.
    package func connect() async -> Outcome {
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
        let completion = { [self] (result: Result<ConnectedHost, ConnectError>) in
            attempt = nil
            waiter.resume(returning: result.map(make))
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

    private func cancel() {
        isCancelled = true
        attempt?.cancel()
    }
}
