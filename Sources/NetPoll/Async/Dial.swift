/// An outgoing connection that a task waits for.
///
/// `@unchecked Sendable`: its state is touched on its loop only.
final class Dial: @unchecked Sendable {
    typealias Outcome = Result<AsyncConnection, ConnectError>

    private let loop: EventLoop
    private let address: SocketAddress
    private let configuration: ConnectConfiguration
    private var attempt: ConnectAttempt?
    private var isCancelled = false

    init(to address: SocketAddress, on loop: EventLoop, _ configuration: ConnectConfiguration) {
        self.address = address
        self.loop = loop
        var configuration = configuration
        configuration.limits.leaveRoomForTasks()
        self.configuration = configuration
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
        attempt = loop.connect(to: address, configuration: configuration) { [self] result in
            attempt = nil
            switch result {
            case .success(let connection):
                let core = AsyncConnectionCore(connection, from: address)
                connection.handler = core
                waiter.resume(returning: .success(AsyncConnection(core)))
            case .failure(let error):
                waiter.resume(returning: .failure(error))
            }
        }
    }

    private func cancel() {
        isCancelled = true
        attempt?.cancel()
    }

    private func failure(_ reason: ConnectError.Reason) -> Outcome {
        .failure(ConnectError(reason, to: address))
    }
}

extension Connection.Limits {
    /// Lowers the high watermark to half of the bound, so that a task's write always fits.
    package mutating func leaveRoomForTasks() {
        highWatermark = min(highWatermark, sendQueueBytesMax / 2)
        lowWatermark = min(lowWatermark, highWatermark)
    }
}
