/// An outgoing connection that a task waits for.
///
/// `@unchecked Sendable`: its state is touched on its loop only.
final class Dial: @unchecked Sendable {
    typealias Outcome = Result<AsyncConnection, ConnectError>

    /// Where a connection is to lead.
    enum Destination {
        case address(SocketAddress)
        case host(String, port: UInt16, any Resolver)

        func error(_ reason: ConnectError.Reason) -> ConnectError {
            switch self {
            case .address(let address): ConnectError(reason, to: address)
            case .host(let host, _, _): ConnectError(reason, to: nil, host: host)
            }
        }
    }

    private let loop: EventLoop
    private let destination: Destination
    private let configuration: ConnectConfiguration
    private var attempt: ConnectAttempt?
    private var isCancelled = false

    init(to destination: Destination, on loop: EventLoop, _ configuration: ConnectConfiguration) {
        self.destination = destination
        self.loop = loop
        var configuration = configuration
        configuration.limits.leaveRoomForTasks()
        self.configuration = configuration
    }

    /// Connects on `loop`, or where it is `nil` on the loop of ``TaskLoop``.
    static func connect(
        to destination: Destination, on loop: EventLoop?, _ configuration: ConnectConfiguration
    ) async throws(ConnectError) -> AsyncConnection {
        let chosen: EventLoop
        if let loop {
            chosen = loop
        } else {
            do throws(SystemError) {
                chosen = try TaskLoop.find()
            } catch {
                throw destination.error(.failed(error))
            }
        }
        return try await Dial(to: destination, on: chosen, configuration).connect().get()
    }

    /// Connects; gives a dial that is cancelled meanwhile up.
    func connect() async -> Outcome {
        await withTaskCancellationHandler {
            await withUnsafeContinuation { (waiter: UnsafeContinuation<Outcome, Never>) in
                let willRun = loop.execute { self.start(waiter) }
                if !willRun { waiter.resume(returning: failure(.shutdown)) }
            }
        } onCancel: {
            loop.execute { self.cancel() }
        }
    }

    private func start(_ waiter: UnsafeContinuation<Outcome, Never>) {
        guard !isCancelled, !loop.isStopped else {
            waiter.resume(returning: failure(isCancelled ? .cancelled : .shutdown))
            return
        }
        attempt = begin { [self] result in
            attempt = nil
            switch result {
            case .success(let connected):
                let core = AsyncConnectionCore(connected.connection, from: connected.address)
                connected.connection.handler = core
                waiter.resume(returning: .success(AsyncConnection(core)))
            case .failure(let error):
                waiter.resume(returning: .failure(error))
            }
        }
    }

    private func begin(_ completion: @escaping HostConnection.Completion) -> ConnectAttempt {
        switch destination {
        case .address(let address):
            loop.connect(to: address, configuration: configuration) {
                completion($0.map { ConnectedHost(connection: $0, address: address) })
            }
        case .host(let host, let port, let resolver):
            loop.connectToHost(
                host, port: port, configuration: configuration, resolver: resolver,
                completion: completion)
        }
    }

    private func cancel() {
        isCancelled = true
        attempt?.cancel()
    }

    private func failure(_ reason: ConnectError.Reason) -> Outcome {
        .failure(destination.error(reason))
    }
}

extension Connection.Limits {
    /// Lowers the high watermark to half of the bound, so that a task's write always fits.
    package mutating func leaveRoomForTasks() {
        highWatermark = min(highWatermark, sendQueueBytesMax / 2)
        lowWatermark = min(lowWatermark, highWatermark)
    }
}
