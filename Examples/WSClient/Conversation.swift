import NetPoll
import WSFrame
import WSTransport

/// The WebSocket, its input, and the one task that uses them.
///
/// `@unchecked Sendable`: all of it is touched on ``loop`` only, which is the task's executor too.
final class Conversation: @unchecked Sendable {
    let loop: EventLoop
    private let input: WorkerPool
    private let isVerbose: Bool

    private var attempt: WebSocketAttempt?
    private var connection: WebSocketConnection?
    private var failure: WebSocketClientError?
    private(set) var reason: WebSocketCloseReason?
    private(set) var signal: CInt?

    /// What the input gave last; the line itself is `nil` at its end.
    private var line: (text: String?, isTaken: Bool) = (nil, true)
    private var roundTrip: Duration?
    private var isCongested = false
    private var lastArrival: Instant

    private var waiter: CheckedContinuation<Void, Never>?
    private var timer: TimerID?

    init(on loop: EventLoop, input: WorkerPool, isVerbose: Bool) {
        self.loop = loop
        self.input = input
        self.isVerbose = isVerbose
        lastArrival = loop.now
    }

    /// Whether nothing more is to be done but to end.
    var isOver: Bool { reason != nil || signal != nil }

    // MARK: - Waiting

    /// Waits for any event, at most until `deadline`.
    private func wait(until deadline: Instant? = nil) async {
        await withCheckedContinuation { waiter in
            self.waiter = waiter
            if let deadline { timer = loop.schedule(after: max(deadline - loop.now, .zero), self) }
        }
    }

    private func wake() {
        if let timer { loop.cancel(timer) }
        timer = nil
        let waiter = waiter
        self.waiter = nil
        waiter?.resume()
    }

    func pause(for duration: Duration) async {
        let end = loop.now + duration
        while !isOver, loop.now < end { await wait(until: end) }
    }

    /// Waits until nothing has come for so long.
    func quiet(for duration: Duration) async {
        lastArrival = loop.now
        while !isOver, loop.now < lastArrival + duration {
            await wait(until: lastArrival + duration)
        }
    }

    // MARK: - What the task does

    func open(
        _ client: WebSocketClient, _ request: WebSocketRequest, at address: SocketAddress?
    ) async throws(WebSocketClientError) {
        let told: WebSocketClient.Completion = { [self] result in
            switch result {
            case .success(let opened): tell(opened)
            case .failure(let error): failure = error
            }
            wake()
        }
        attempt =
            if let address {
                client.connect(to: address, request, on: loop, handler: self, completion: told)
            } else {
                client.connect(request, on: loop, handler: self, completion: told)
            }
        // A signal may have come before there was an attempt to give up.
        if signal != nil { attempt?.cancel() }
        while connection == nil, failure == nil { await wait() }
        attempt = nil
        if let failure { throw failure }
    }

    private func tell(_ opened: WebSocketClient.Opened) {
        connection = opened.connection
        guard isVerbose else { return }
        Output.note("open: \(opened.connection.remoteAddress)")
        if let subprotocol = opened.opening.subprotocol {
            Output.note("subprotocol: \(subprotocol)")
        }
    }

    /// The next line of the input; `nil` at its end, or when all is over.
    func nextLine() async -> String? {
        line.isTaken = true
        do throws(WorkerPoolError) {
            try input.submit { [self] in
                let text = readLine(strippingNewline: true)
                loop.execute { self.arrived(text) }
            }
        } catch {
            return nil
        }
        while line.isTaken, !isOver { await wait() }
        return isOver ? nil : line.text
    }

    private func arrived(_ text: String?) {
        line = (text, false)
        wake()
    }

    /// Sends one message, and waits while too much is queued.
    ///
    /// - Returns: Whether it was taken.
    func send(_ bytes: [UInt8], _ kind: MessageKind) async -> Bool {
        guard let connection, !isOver else { return false }
        let outcome = connection.send(bytes.span.bytes, kind: kind)
        guard outcome != .closed, outcome != .refused else { return false }
        while isCongested, !isOver { await wait() }
        return true
    }

    /// The time of one round trip; `nil` where no answer came, or all is over.
    func ping(within timeout: Duration) async -> Duration? {
        roundTrip = nil
        connection?.ping()
        let end = loop.now + timeout
        while roundTrip == nil, !isOver, loop.now < end { await wait(until: end) }
        return roundTrip
    }

    /// Closes, if that was not begun yet, and waits for the end.
    func close() async -> WebSocketCloseReason {
        connection?.close()
        while true {
            if let reason { return reason }
            await wait()
        }
    }

    /// A signal asks for an orderly end.
    func interrupt(_ signal: CInt) {
        self.signal = signal
        attempt?.cancel()
        connection?.close(.goingAway)
        wake()
    }
}

extension Conversation: WebSocketHandler {
    func received(_ message: RawSpan, kind: MessageKind, on connection: WebSocketConnection) {
        lastArrival = loop.now
        message.withUnsafeBytes { bytes in
            switch kind {
            case .text: Output.line(String(decoding: bytes, as: UTF8.self))
            case .binary: Output.line(Hexadecimal.text(bytes))
            }
        }
    }

    func receivedPing(_ payload: RawSpan, on connection: WebSocketConnection) {
        guard isVerbose else { return }
        Output.note("ping: \(payload.withUnsafeBytes(Hexadecimal.text))")
    }

    func receivedPong(
        _ payload: RawSpan, roundTrip: Duration?, on connection: WebSocketConnection
    ) {
        self.roundTrip = roundTrip
        if isVerbose {
            let time = roundTrip.map { ", \(RoundTrips.text($0))" } ?? ""
            Output.note("pong: \(payload.withUnsafeBytes(Hexadecimal.text))\(time)")
        }
        wake()
    }

    func receivedClose(_ code: CloseCode?, reason: RawSpan, on connection: WebSocketConnection) {
        guard isVerbose else { return }
        let text = reason.withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
        let number = code.map { "\($0)" } ?? "without a code"
        Output.note("close: \(number)\(text.isEmpty ? "" : " \(text.debugDescription)")")
    }

    func congested(_ connection: WebSocketConnection) { isCongested = true }

    func drained(_ connection: WebSocketConnection) {
        isCongested = false
        wake()
    }

    func closed(_ connection: WebSocketConnection, reason: WebSocketCloseReason) {
        self.reason = reason
        if isVerbose { Output.note("closed: \(reason)") }
        wake()
    }
}

extension Conversation: TimerTarget {
    func timerFired(_ id: TimerID, on loop: EventLoop) {
        timer = nil
        wake()
    }
}
