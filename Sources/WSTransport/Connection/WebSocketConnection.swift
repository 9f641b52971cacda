public import NetPoll
public import WSFrame

/// One WebSocket connection of a server or a client (RFC 6455), on its loop.
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

    /// The peer's address, as its socket was accepted or connected.
    public var remoteAddress: SocketAddress { peer.address }

    // In this order the object takes 88 bytes, of which a test keeps watch.
    let connection: Connection
    let handler: any WebSocketHandler
    let shard: WebSocketShard
    /// The compression agreed on, or `nil`.
    let deflate: DeflateCodec?
    // What is marked so is unchecked for the hot path: nobody else uses it, and no access to it calls out of
    // this class, so accesses cannot overlap.
    @exclusivity(unchecked) var cold: Cold?
    @exclusivity(unchecked) private(set) var framing: ProtocolCore
    /// How often the heartbeat was answered.
    @exclusivity(unchecked) var rhythm = HeartbeatRhythm()
    /// When bytes last came, on the loop's clock of milliseconds.
    @exclusivity(unchecked) var lastReceived: UInt32
    @exclusivity(unchecked) var timer = TimerID.none
    private let peer: PeerAddress

    init(
        connection: Connection, handler: any WebSocketHandler, shard: WebSocketShard,
        remoteAddress: SocketAddress, deflate: DeflateCodec?
    ) {
        self.connection = connection
        self.handler = handler
        self.shard = shard
        self.deflate = deflate
        peer = PeerAddress(remoteAddress)
        framing = ProtocolCore(role: shard.role)
        lastReceived = connection.loop.nowMilliseconds
    }

    /// Bytes sent here that the kernel has not taken.
    public var queuedBytes: Int { connection.queuedBytes }

    /// Whether messages may still be sent.
    public var isOpen: Bool { framing.maySend && connection.isOpen }

    /// The compression agreed on with the peer, or `nil` where messages are not compressed.
    public var compression: PerMessageDeflate? { deflate?.agreed }

    /// The loop's compressors, where it may use them.
    package var deflatePool: DeflatePool? { deflate == nil ? nil : shard.compressors?.pool }

    /// Sends one message.
    ///
    /// - Parameters:
    ///   - message: Copied; text must be valid UTF-8 (RFC 6455 §5.6), which is not checked here.
    ///   - kind: Text or binary.
    ///   - compression: Whether it may be compressed, where that was agreed on.
    /// - Returns: Whether the message was taken, and whether to go on.
    @discardableResult
    public func send(
        _ message: RawSpan, kind: MessageKind, compression: MessageCompression = .automatic
    ) -> WriteOutcome {
        guard framing.maySend else { return .closed }
        if let deflate, compression == .automatic, let bytes = deflate.compressed(message) {
            let outcome = write(bytes.bytes, opcode: kind.opcode, isCompressed: true)
            if outcome == .refused { deflate.discardContext() }
            return outcome
        }
        return write(message, opcode: kind.opcode)
    }

    /// Sends one text message.
    @discardableResult
    public func send(
        text: String, compression: MessageCompression = .automatic
    ) -> WriteOutcome {
        var text = text
        return text.withUTF8 { bytes in
            // The span is used within the closure only.
            send(RawSpan(_unsafeElements: bytes), kind: .text, compression: compression)
        }
    }

    /// Sends a message that was encoded before; where it is large it is shared, not copied. A client
    /// has to mask it, and so copies it.
    @discardableResult
    public func send(_ message: PreparedMessage) -> WriteOutcome {
        guard framing.maySend else { return .closed }
        if let deflate, let compressed = deflate.compressed(message) {
            guard framing.role == .server else {
                return write(
                    compressed.payload.bytes, opcode: message.kind.opcode, isCompressed: true)
            }
            return connection.write(compressed.bytes, keptAliveBy: compressed)
        }
        guard framing.role == .server else {
            return write(message.payload.bytes, opcode: message.kind.opcode)
        }
        return connection.write(message.bytes, keptAliveBy: message)
    }

    /// Sends a ping; ``WebSocketHandler/receivedPong(_:roundTrip:on:)`` is told of the answer.
    ///
    /// The round trip of the latest ping is measured: an earlier one need not be answered (RFC 6455
    /// §5.5.3).
    ///
    /// - Parameter payload: At most 125 bytes (RFC 6455 §5.5). By default, and where it is empty, a number that
    ///   no other such ping of the loop carries: an empty pong may answer the heartbeat, or nothing at all.
    /// - Returns: As for ``send(_:kind:compression:)``.
    @discardableResult
    public func ping(_ payload: RawSpan = RawSpan()) -> WriteOutcome {
        precondition(payload.byteCount <= 125, "ping of \(payload.byteCount) bytes exceeds 125")
        guard payload.byteCount > 0 else {
            let number = [shard.pingNumber()]
            return ping(number.span.bytes)
        }
        guard framing.maySend else { return .closed }
        coldState.outstandingPing = OutstandingPing(payload, at: loop.now)
        return write(payload, opcode: .ping)
    }

    /// Starts the closing handshake; nothing can be sent after it (RFC 6455 §7.1.2), and messages
    /// that still arrive are not delivered.
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
        timer = loop.schedule(after: shard.closeTimeout, timerTarget)
        // The peer's answer comes behind what was not read yet.
        if connection.isReadingPaused { resumeReading() }
    }

    /// Ends the connection at once, without a closing handshake.
    public func abort() { connection.abort() }

    // MARK: - What an idle connection does without

    /// Whether there is memory beside this object and its transport's: something is incomplete,
    /// awaited or queued.
    package var ownsMemory: Bool { cold != nil || connection.ownsBuffers }

    var coldState: Cold {
        if let cold { return cold }
        let made = shard.spareCold.take() ?? Cold()
        cold = made
        return made
    }

    var ending: WebSocketCloseReason? {
        get { cold?.ending }
        set { coldState.ending = newValue }
    }

    // MARK: - Events

    func begin() {
        // A client may have closed it in its completion; then the timer is the closing handshake's.
        if let heartbeat = shard.heartbeat, framing.maySend {
            timer = loop.schedule(after: heartbeat.interval, timerTarget)
        }
        handler.opened(self)
    }

    func receive(_ bytes: inout MutableRawSpan, from start: Int) {
        if let cold, cold.held.isHolding {
            cold.held.append(bytes.bytes.extracting(droppingFirst: start))
            return
        }
        let now = loop.nowMilliseconds
        let isActive = now &- lastReceived < 1_000
        lastReceived = now
        var start = start
        if cold == nil, deflate == nil {
            start = deliverWhole(&bytes, from: start)
            if start == bytes.byteCount { return freeCold() }
        }
        let end = take(&bytes, from: start, isActive)
        if deflate != nil { hold(bytes.bytes.extracting(droppingFirst: end)) }
        freeCold()
    }

    /// Delivers the messages that `bytes` has from `start` on, as far as each is one whole frame, as most are;
    /// for a connection that carries nothing and does not compress.
    ///
    /// - Returns: The end of what was taken.
    private func deliverWhole(_ bytes: inout MutableRawSpan, from start: Int) -> Int {
        let bytesMax = shard.framing.inPlaceBytesMax
        var cursor = start
        do throws(ProtocolViolation) {
            while let (kind, payload) = try framing.nextWhole(
                in: &bytes, at: &cursor, bytesMax: bytesMax)
            {
                guard framing.maySend else { continue }
                handler.received(bytes.bytes.extracting(payload), kind: kind, on: self)
                if connection.isEnded { return bytes.byteCount }
            }
        } catch {
            giveUp(.violation(error), error.closeCode)
            return bytes.byteCount
        }
        return cursor
    }

    /// Delivers what is in `bytes`, as far as the turn's bytes and the handler allow.
    ///
    /// - Returns: The end of what was taken.
    @inline(__always)
    func take(_ bytes: inout MutableRawSpan, from start: Int, _ isActive: Bool) -> Int {
        var carried = takeCarried()
        let wasComplete = carried.isEmpty
        carried.isAdvanced = false
        carried.borrow(&shard.spareAssembly)
        let end = deliver(&bytes, from: start, &carried, isActive)
        carried.giveBack(to: &shard.spareAssembly)
        if shard.hasInputTimeout { connection.inputIsIncomplete = !carried.isEmpty }
        if !carried.isEmpty, !connection.isEnded {
            let isAdvanced = wasComplete || carried.isAdvanced
            coldState.carried = carried
            if isAdvanced { inputAdvanced(isNew: wasComplete) }
        }
        return end
    }

    /// Gives back what an idle connection does without.
    func freeCold() {
        guard let cold, cold.isEmpty(at: .milliseconds(lastReceived)) else { return }
        self.cold = nil
        cold.reset()
        shard.spareCold = cold
    }

    private func takeCarried() -> CarriedInput {
        guard let cold, !cold.carried.isEmpty else { return CarriedInput(deflate: deflate) }
        var carried = CarriedInput()
        swap(&carried, &cold.carried)
        return carried
    }

    private func deliver(
        _ bytes: inout MutableRawSpan, from start: Int, _ carried: inout CarriedInput,
        _ isActive: Bool
    ) -> Int {
        let configuration = shard.framing
        var (cursor, isActive) = (start, isActive)
        // Asked once: most connections do not compress, and have many messages in a read.
        let isCompressing = deflate != nil
        if isCompressing {
            deflate?.turnBegan(
                loop.metrics.turns, bytesMax: configuration.limits.inflatedBytesPerTurnMax)
        }
        do throws(ProtocolViolation) {
            while let event = try framing.next(
                in: &bytes, at: &cursor, carrying: &carried, configuration)
            {
                switch event {
                case .message(let kind, .input(let range)):
                    guard framing.maySend else { continue }
                    handler.received(bytes.bytes.extracting(range), kind: kind, on: self)
                case .message(let kind, .kept):
                    guard framing.maySend else { continue }
                    handler.received(carried.keptPayload.bytes, kind: kind, on: self)
                case .piece(let piece):
                    guard framing.maySend else { continue }
                    carried.withPayload(piece.payload, in: bytes) { payload in
                        handler.received(
                            piece: payload, of: piece.kind, isFirst: piece.isFirst,
                            isLast: piece.isLast, on: self)
                    }
                case .ping(let payload):
                    try countControlFrame(&isActive)
                    carried.withPayload(payload, in: bytes) { pong($0) }
                case .pong(let payload):
                    try countControlFrame(&isActive)
                    carried.withPayload(payload, in: bytes) { pongReceived($0) }
                case .close(let close):
                    carried.withPayload(close.reason, in: bytes) {
                        handler.receivedClose(close.code, reason: $0, on: self)
                    }
                    closed(by: close)
                }
                // A handler may have aborted it, or a reply have passed the queue's bound.
                if connection.isEnded { return bytes.byteCount }
                if isCompressing, isDeliveryPaused {
                    carried.release()
                    return cursor
                }
            }
        } catch {
            giveUp(.violation(error), error.closeCode)
        }
        return cursor
    }

    /// Bounds control frames by the clock; the first one after a second of silence needs no memory.
    private func countControlFrame(_ isActive: inout Bool) throws(ProtocolViolation) {
        guard isActive else {
            isActive = true
            return
        }
        do throws(ProtocolViolation) {
            let now = Duration.milliseconds(lastReceived)
            try coldState.controlFrames.taken(at: now, shard.framing.limits)
        } catch {
            framing.violated()
            throw error
        }
    }

    private func pong(_ payload: RawSpan) {
        // Also behind this side's close frame: only the peer's ends the duty (RFC 6455 §5.5.2).
        writePong(payload)
        handler.receivedPing(payload, on: self)
    }

    private func pongReceived(_ payload: RawSpan) {
        var roundTrip: Duration?
        if let ping = cold?.outstandingPing, ping.isAnswered(by: payload) {
            roundTrip = loop.now - ping.sentAt
            cold?.outstandingPing = nil
        }
        handler.receivedPong(payload, roundTrip: roundTrip, on: self)
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
        switch framing.role {
        case .server:
            endTransport()
        case .client:
            // The server closes first, so that it is not the client's port that waits (RFC 6455
            // §7.1.1).
            timer = loop.schedule(after: shard.closeTimeout, timerTarget)
            if connection.isReadingPaused { resumeReading() }
        }
    }

    func ended(_ reason: CloseReason) {
        stopTimer()
        let told: WebSocketCloseReason =
            switch reason {
            case .sendQueueOverflow: .slowConsumer
            default: ending ?? .lost(reason)
            }
        handler.closed(self, reason: told)
        if deflate != nil { shard.compressors?.connectionEnded() }
        shard.closed()
    }

    /// Ends the connection for what the peer did, with a close frame where that may still be sent.
    func giveUp(
        _ reason: WebSocketCloseReason, _ code: CloseCode, _ text: String = ""
    ) {
        ending = reason
        stopTimer()
        if framing.closeRequested() == .send { writeClose(code, text) }
        endTransport()
    }
}
