import NetPoll
import WSFrame

/// A WebSocket on its way to be opened that a task waits for.
///
/// `@unchecked Sendable`: its state is touched on its loop only.
final class WebSocketDial: @unchecked Sendable {
    typealias Outcome = Result<AsyncWebSocket, WebSocketClientError>

    private let client: WebSocketClient
    private let request: WebSocketRequest
    private let address: SocketAddress?
    private let loop: EventLoop
    private var attempt: WebSocketAttempt?
    private var isCancelled = false

    init(
        _ client: WebSocketClient, _ request: WebSocketRequest, _ address: SocketAddress?,
        _ loop: EventLoop
    ) {
        self.client = client
        self.request = request
        self.address = address
        self.loop = loop
    }

    /// Connects; gives a dial that is cancelled meanwhile up.
    func connect() async -> Outcome {
        await withTaskCancellationHandler {
            await withUnsafeContinuation { (waiter: UnsafeContinuation<Outcome, Never>) in
                if !loop.execute({ self.start(waiter) }) {
                    waiter.resume(returning: failure(.connect(.shutdown)))
                }
            }
        } onCancel: {
            loop.execute { self.cancel() }
        }
    }

    private func start(_ waiter: UnsafeContinuation<Outcome, Never>) {
        guard !isCancelled else {
            waiter.resume(returning: failure(.cancelled))
            return
        }
        let core = AsyncWebSocketCore(on: loop)
        let told: WebSocketClient.Completion = { [self] result in
            attempt = nil
            switch result {
            case .success(let opened):
                core.subprotocol = opened.opening.subprotocol
                core.opening = opened.opening
                core.attach(opened.connection)
                waiter.resume(returning: .success(AsyncWebSocket(core)))
            case .failure(let error):
                waiter.resume(returning: .failure(error))
            }
        }
        attempt = client.start(
            address.map { .address($0) }, request, on: loop, task: core, completion: told)
    }

    private func cancel() {
        isCancelled = true
        attempt?.cancel()
    }

    private func failure(_ reason: WebSocketClientError.Reason) -> Outcome {
        .failure(WebSocketClientError(reason, to: address.map { .address($0) }))
    }
}
