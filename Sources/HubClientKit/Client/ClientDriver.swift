import Hub
import NetPoll
import WSFrame
import WSTransport

/// Carries out what a client's core decides, on its loop.
///
/// Unchecked: everything but constants is touched on the loop only.
final class ClientDriver: @unchecked Sendable {
    typealias WhenDone = (Result<ServerEnvelope, HubClientError>) -> Void

    private struct Waiting {
        let timer: TimerID
        let whenDone: WhenDone
    }

    private let webSockets: WebSocketClient
    private let request: WebSocketRequest
    private let address: SocketAddress?
    private let loop: EventLoop
    private let spoken: any EnvelopeProtocol
    private let handler: @Sendable (HubClientEvent) -> Void

    var core: ClientCore
    private var attempt: WebSocketAttempt?
    private var connection: WebSocketConnection?
    private var retry = TimerID.none
    /// By when an open connection has to have a session.
    private var patience = TimerID.none
    /// When topics that could not be had again are asked for, and for when that is.
    private var renewal = TimerID.none
    private var renewalTime = Instant(nanoseconds: 0)
    private var waiting: [RequestID: Waiting] = [:]

    init(
        _ webSockets: WebSocketClient, _ request: WebSocketRequest, _ address: SocketAddress?,
        on loop: EventLoop, _ configuration: HubClient.Configuration,
        handler: @escaping @Sendable (HubClientEvent) -> Void
    ) {
        self.webSockets = webSockets
        self.address = address
        self.loop = loop
        spoken = configuration.spoken
        self.handler = handler
        self.request = request
        core = ClientCore(configuration)
    }

    private var subprotocols: [String] { spoken.subprotocol.map { [$0] } ?? [] }

    // MARK: - Life

    func start() {
        guard core.phase == .offline, retry == .none else { return }
        connect()
    }

    func stop() { end(.stopped, code: .normal) }

    private func end(_ ending: HubClientEvent.Ending, code: CloseCode) {
        guard core.phase != .stopped else { return }
        perform(core.stop())
        if retry != .none { loop.cancel(retry) }
        retry = .none
        endTimers()
        attempt?.cancel()
        attempt = nil
        connection?.close(code)
        connection = nil
        tell(.disconnected(ending, retryAfter: nil))
    }

    private func connect() {
        core.phase = .connecting
        let completion: WebSocketClient.Completion = { [weak self] in self?.dialled($0) }
        var request = request
        core.settings.renewRequest?(&request)
        request.subprotocols = subprotocols
        // Where many come at once, those who come back are let in before others.
        if let offer = core.token.flatMap({ ResumeOffer.subprotocol(for: $0) }) {
            request.subprotocols.append(offer)
        }
        if let address {
            attempt = webSockets.connect(
                to: address, request, on: loop, handler: self, completion: completion)
        } else {
            attempt = webSockets.connect(
                request, on: loop, handler: self, completion: completion)
        }
    }

    private func dialled(_ result: Result<WebSocketClient.Opened, WebSocketClientError>) {
        attempt = nil
        switch result {
        case .success(let opened):
            guard core.phase == .connecting else {
                opened.connection.abort()
                return
            }
            connection = opened.connection
            guard opened.opening.subprotocol == spoken.subprotocol else {
                end(.unspoken, code: .policyViolation)
                return
            }
        case .failure(let error):
            guard core.phase == .connecting else { return }
            if let delay = error.retryAfter { core.advised(delay) }
            lost(.unreachable("\(error)"), isFinal: error.isFinal)
        }
    }

    private func lost(_ ending: HubClientEvent.Ending, isFinal: Bool) {
        connection = nil
        endTimers()
        guard !isFinal else { return end(ending, code: .normal) }
        var random = loop.random
        let (delay, actions) = core.lost(
            at: loop.now, fraction: .random(in: 0...1, using: &random))
        perform(actions)
        guard core.phase == .offline else { return }
        retry = loop.schedule(after: delay, self)
        tell(.disconnected(ending, retryAfter: delay))
    }

    /// Ends those of a connection.
    private func endTimers() {
        for timer in [patience, renewal] where timer != .none { loop.cancel(timer) }
        (patience, renewal) = (.none, .none)
    }

    /// Asks later for all topics that could not be had again, once.
    private func renewLater(after hint: Duration, within bound: Duration) {
        if renewal != .none {
            guard loop.now + hint > renewalTime else { return }
            loop.cancel(renewal)
        } else {
            core.renewalBackoff.failed()
        }
        var random = loop.random
        let delay = hint + bound.part(.random(in: 0...1, using: &random))
        renewalTime = loop.now + delay
        renewal = loop.schedule(after: delay, self)
    }

    // MARK: - Calls

    /// Begins a call, which ends within `timeout`.
    func begin(
        within timeout: Duration, _ begin: (ClientDriver, RequestID) -> [ClientCore.Action],
        whenDone: @escaping WhenDone
    ) {
        let id = core.makeID()
        let timer = loop.schedule(after: timeout, CallDeadline(driver: self, id: id))
        waiting[id] = Waiting(timer: timer, whenDone: whenDone)
        perform(begin(self, id))
    }

    fileprivate func timedOut(_ id: RequestID) { perform(core.timedOut(id)) }

    func perform(_ actions: [ClientCore.Action]) {
        for action in actions {
            switch action {
            case .send(let envelope):
                let (bytes, kind) = spoken.encode(envelope)
                connection?.send(bytes.span.bytes, kind: kind)
            case .tell(let content):
                tell(content)
            case .finish(let id, let result):
                guard let call = waiting.removeValue(forKey: id) else { continue }
                loop.cancel(call.timer)
                call.whenDone(result)
            case .renewLater(let hint, let bound):
                renewLater(after: hint, within: bound)
            case .comeAgain(let failure):
                let refused = connection
                lost(.refused(failure), isFinal: false)
                refused?.close(.normal)
            case .giveUp(let ending):
                end(ending, code: .normal)
            }
        }
    }

    private func tell(_ content: HubClientEvent.Content) {
        handler(HubClientEvent(content: content, time: loop.now))
    }
}

extension ClientDriver: WebSocketHandler {
    func opened(_ connection: WebSocketConnection) {
        guard connection === self.connection, core.phase == .connecting else { return }
        patience = loop.schedule(after: core.settings.callTimeout, self)
        perform(core.opened())
    }

    func received(_ message: RawSpan, kind: MessageKind, on connection: WebSocketConnection) {
        guard connection === self.connection else { return }
        do throws(ClientProtocolError) {
            let envelope = try spoken.decodeAnswer(message, kind: kind)
            perform(core.received(envelope, at: loop.now))
        } catch {
            // A later version's type is passed over; what is no envelope is another language.
            if let code = error.closeCode { connection.close(code, reason: error.reason) }
        }
    }

    func receivedClose(
        _ code: CloseCode?, reason: RawSpan, on connection: WebSocketConnection
    ) {
        guard connection === self.connection else { return }
        let text = reason.withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
        if let hint = RetryHint(closeReason: text) { core.advised(hint.delay) }
    }

    func closed(_ connection: WebSocketConnection, reason: WebSocketCloseReason) {
        guard connection === self.connection else { return }
        lost(.closed(reason), isFinal: reason.isFinal)
    }
}

extension ClientDriver: TimerTarget {
    func timerFired(_ timer: TimerID, on loop: EventLoop) {
        if timer == patience {
            patience = .none
            // A hub that welcomes nobody, or does not answer a login, may do so on the next connection.
            if !core.isReady { connection?.abort() }
            return
        }
        if timer == renewal {
            renewal = .none
            perform(core.renewNow())
            return
        }
        retry = .none
        if core.phase == .offline { connect() }
    }
}

private final class CallDeadline: AwaitedTimerTarget {
    private weak let driver: ClientDriver?
    private let id: RequestID

    init(driver: ClientDriver, id: RequestID) {
        self.driver = driver
        self.id = id
    }

    func timerFired(_ timer: TimerID, on loop: EventLoop) { driver?.timedOut(id) }

    func timerDropped() { driver?.stop() }
}

extension WebSocketCloseReason {
    /// Coming again would end the same way.
    fileprivate var isFinal: Bool {
        guard case .peer(let code?) = self else { return false }
        return [
            .protocolError, .unsupportedData, .invalidPayload, .policyViolation, .messageTooBig,
            .mandatoryExtension, .unauthenticated, .forbidden,
        ].contains(code)
    }
}

extension WebSocketClientError {
    /// When the hub that refused says to come again.
    fileprivate var retryAfter: Duration? {
        guard case .handshake(let error) = reason else { return nil }
        return error.retryAfter
    }

    /// Coming again would end the same way.
    fileprivate var isFinal: Bool {
        switch reason {
        case .request: true
        case .handshake(let error):
            switch error.reason {
            case .refused(let status):
                // Too many, and all that is the server's own trouble, passes.
                (400..<500).contains(Int(status.rawValue))
                    && ![408, 425, 429].contains(Int(status.rawValue))
            case .unofferedSubprotocol, .redirected: true
            default: false
            }
        case .connect, .timedOut, .lost, .cancelled: false
        }
    }
}
