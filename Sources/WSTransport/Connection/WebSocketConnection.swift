public import NetPoll
public import WSFrame

/// One WebSocket connection of a server (RFC 6455), on its loop.
///
/// Not `Sendable`: everything here is called on ``loop``. Other threads keep the ``id``.
///
/// Messages are gathered: all that is sent to a connection in one turn of its loop leaves in one
/// system call. An idle connection owns no buffer.
public class WebSocketConnection {
    /// The loop that owns this connection.
    public var loop: EventLoop { connection.loop }

    /// Names this connection for ever.
    public var id: ConnectionID { connection.id }

    /// The peer's address, as its socket was accepted.
    public let remoteAddress: SocketAddress

    let connection: Connection
    let handler: any WebSocketHandler
    let shard: ServerShard
    /// Unchecked for the hot path: it is private, and no access to it calls out of this class, so
    /// accesses cannot overlap.
    @exclusivity(unchecked) private var framing: ProtocolCore
    private var ending: WebSocketCloseReason?
    private var timer: TimerID?
    private var lastReceived: Instant

    init(
        connection: Connection, handler: any WebSocketHandler, shard: ServerShard,
        remoteAddress: SocketAddress
    ) {
        self.connection = connection
        self.handler = handler
        self.shard = shard
        self.remoteAddress = remoteAddress
        framing = ProtocolCore(role: .server, configuration: shard.framing)
        lastReceived = connection.loop.now
    }

    /// Bytes sent here that the kernel has not taken.
    public var queuedBytes: Int { connection.queuedBytes }

    /// Whether messages may still be sent.
    public var isOpen: Bool { framing.maySend && connection.isOpen }

    /// Sends one message.
    ///
    /// - Parameters:
    ///   - message: Copied; text must be valid UTF-8 (RFC 6455 §5.6), which is not checked here.
    ///   - kind: Text or binary.
    /// - Returns: Whether the message was taken, and whether to go on.
    @discardableResult
    public func send(_ message: RawSpan, kind: MessageKind) -> WriteOutcome {
        guard framing.maySend else { return .closed }
        return write(message, opcode: kind.opcode)
    }

    /// Sends one text message.
    @discardableResult
    public func send(text: String) -> WriteOutcome {
        var text = text
        return text.withUTF8 { bytes in
            // The span is used within the closure only.
            send(RawSpan(_unsafeElements: bytes), kind: .text)
        }
    }

    /// Sends a message that was encoded before; where it is large it is shared, not copied.
    @discardableResult
    public func send(_ message: PreparedMessage) -> WriteOutcome {
        guard framing.maySend else { return .closed }
        return connection.write(message.bytes, keptAliveBy: message)
    }

    /// Sends a ping; the answer counts as life.
    ///
    /// - Parameter payload: At most 125 bytes (RFC 6455 §5.5).
    /// - Returns: As for ``send(_:kind:)``.
    @discardableResult
    public func ping(_ payload: RawSpan = RawSpan()) -> WriteOutcome {
        precondition(payload.byteCount <= 125, "ping of \(payload.byteCount) bytes exceeds 125")
        guard framing.maySend else { return .closed }
        return write(payload, opcode: .ping)
    }

    /// Starts the closing handshake; nothing can be sent after it (RFC 6455 §7.1.2).
    ///
    /// What was sent before still goes out first. The connection ends when the peer answers, or
    /// after ``WebSocketServer/Configuration/closeTimeout``.
    ///
    /// - Parameters:
    ///   - code: A code that may stand on the wire (RFC 6455 §7.4).
    ///   - reason: Cut at 123 bytes.
    public func close(_ code: CloseCode = .normal, reason: String = "") {
        guard framing.closeRequested() == .send else { return }
        if ending == nil { ending = .local(code) }
        writeClose(code, reason)
        stopTimer()
        timer = loop.schedule(after: shard.configuration.closeTimeout, timerTarget)
    }

    /// Ends the connection at once, without a closing handshake.
    public func abort() { connection.abort() }

    // MARK: - Writing frames

    private func write(_ payload: RawSpan, opcode: Opcode) -> WriteOutcome {
        let headerBytes = FrameEncoder.headerBytes(payloadBytes: payload.byteCount)
        let header = FrameHeader(opcode: opcode, payloadBytes: payload.byteCount)
        return payload.withUnsafeBytes { bytes in
            if let place = connection.reserve(headerBytes + bytes.count) {
                // The place has room for header and payload: that much was reserved.
                _ = FrameEncoder.encodeHeader(header, into: place)
                if let base = bytes.baseAddress {
                    (place + headerBytes).copyMemory(from: base, byteCount: bytes.count)
                }
                return .accepted
            }
            return withUnsafeTemporaryAllocation(byteCount: FrameHeader.bytesMax, alignment: 1) {
                head in
                guard let start = head.baseAddress else { return .closed }
                let count = FrameEncoder.encodeHeader(header, into: start)
                return connection.write(
                    head: UnsafeRawBufferPointer(rebasing: head[..<count]), body: bytes)
            }
        }
    }

    private func writeClose(_ code: CloseCode?, _ reason: String = "") {
        connection.write(FrameEncoder.closeFrame(code, reason: reason).span.bytes)
    }

    // MARK: - Events

    func begin() {
        let configuration = shard.configuration
        if let heartbeat = configuration.heartbeat {
            timer = loop.schedule(after: heartbeat.interval, timerTarget)
        }
        handler.opened(self)
    }

    func receive(_ bytes: inout MutableRawSpan, from start: Int) {
        lastReceived = loop.now
        var cursor = start
        do throws(ProtocolViolation) {
            while let event = try framing.next(in: &bytes, at: &cursor) {
                switch event {
                case .message(let kind, .input(let range)):
                    handler.received(bytes.bytes.extracting(range), kind: kind, on: self)
                case .message(let kind, .kept):
                    handler.received(framing.keptPayload.bytes, kind: kind, on: self)
                case .ping(.input(let range)):
                    pong(bytes.bytes.extracting(range))
                case .ping(.kept):
                    pong(framing.keptPayload.bytes)
                case .pong: break
                case .close(let close):
                    closed(by: close)
                }
                // A handler may have aborted it, or a reply have passed the queue's bound.
                if connection.isEnded { return }
            }
        } catch {
            ending = .violation(error)
            stopTimer()
            if framing.closeRequested() == .send { writeClose(error.closeCode) }
            connection.close()
        }
    }

    private func pong(_ payload: RawSpan) {
        guard framing.maySend else { return }
        _ = write(payload, opcode: .pong)
    }

    private func closed(by close: ProtocolEvent.PeerClose) {
        stopTimer()
        switch close.action {
        case .echo:
            ending = .peer(close.code)
            writeClose(close.code)
        case .finish:
            break
        }
        connection.close()
    }

    func ended(_ reason: CloseReason) {
        stopTimer()
        let told: WebSocketCloseReason =
            switch reason {
            case .sendQueueOverflow: .slowConsumer
            default: ending ?? .lost(reason)
            }
        handler.closed(self, reason: told)
        shard.closed()
    }

    // MARK: - Time

    /// Sends a ping, gives a silent peer up, or ends a closing handshake that took too long.
    func timerFired() {
        timer = nil
        guard framing.maySend, let heartbeat = shard.configuration.heartbeat else {
            if case .local = ending { ending = .closeTimedOut }
            connection.abort()
            return
        }
        let silence = loop.now - lastReceived
        if silence >= heartbeat.timeout {
            ending = .heartbeatTimedOut
            connection.abort()
            return
        }
        var next = heartbeat.interval - silence
        if silence >= heartbeat.interval {
            ping()
            next = min(heartbeat.interval, heartbeat.timeout - silence)
        }
        timer = loop.schedule(after: next, timerTarget)
    }

    private func stopTimer() {
        if let timer { loop.cancel(timer) }
        timer = nil
    }

    private var timerTarget: any TimerTarget {
        guard let served = self as? ServedWebSocket else {
            preconditionFailure("a WebSocketConnection that is not served")
        }
        return served
    }
}

/// What the loop calls; kept apart so that the public class shows only what its users call.
final class ServedWebSocket: WebSocketConnection, ConnectionHandler, TimerTarget {
    func received(_ bytes: inout MutableRawSpan, on connection: Connection) {
        receive(&bytes, from: 0)
    }

    func roseAboveHighWatermark(_ connection: Connection) { handler.congested(self) }

    func fellBelowLowWatermark(_ connection: Connection) { handler.drained(self) }

    func closed(_ connection: Connection, reason: CloseReason) { ended(reason) }

    func timerFired(_ id: TimerID, on loop: EventLoop) { timerFired() }
}
