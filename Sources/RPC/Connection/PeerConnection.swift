import NetPoll

/// One connection and the calls of both sides on it: what carries out what ``ConnectionCore``
/// decides.
///
/// `@unchecked Sendable`: everything but constants is touched on ``loop`` only; other threads go
/// through ``mailbox``.
final class PeerConnection: ConnectionHandler, TimerTarget, @unchecked Sendable {
    static let noConnection = RPCError(.unavailable, "there is no connection", execution: .notRun)
    private static let broken = RPCError(
        .internal, "the answer broke the protocol", execution: .answered)
    private static let givenUp = RPCError(.cancelled, "the call was cancelled")
    private static let expired = RPCError(.deadlineExceeded, "the deadline passed")

    let loop: EventLoop
    let connection: Connection
    let mailbox: LoopMailbox
    let shelf: ServedCallShelf
    let table: MethodTable
    let configuration: RPCConfiguration
    let calls = PendingCallShelf()

    // The fields marked `@exclusivity(unchecked)` are used several times for every call, and their
    // dynamic checks cost more than their accesses. They are touched on the loop only, and each
    // access is one call of theirs that runs no code of others: no handler, no last release.
    @exclusivity(unchecked) var core: ConnectionCore
    @exclusivity(unchecked) var decoder: FrameDecoder
    /// Calls of this side by their slots of the core.
    @exclusivity(unchecked) var pending: [PendingCall?] = []
    /// Calls of the peer's by their slots of the core.
    @exclusivity(unchecked) var served: [ServedCall?] = []
    /// Calls of this side that are over, for callers on the loop; others use ``calls``.
    @exclusivity(unchecked) var idleCalls: [PendingCall] = []
    private(set) var isClosed = false
    /// How much of a stream is read before the loop is told, so that credit goes back: its own, and
    /// the connection's, which other streams wait for.
    let creditStep: Int
    /// The connection's queue is above its high watermark: streams wait.
    var isCongested = false
    var isWriteScheduled = false
    /// Whether streams are before long messages when what waits may try again.
    var areStreamsFirst = true
    /// The stream that is let try first: a place in ``pending``, or behind it in ``served``.
    var streamTurn = 0
    var isSendingPieces = false
    private var isSettlingScheduled = false
    /// Calls of this side that found too many in flight and waiting.
    var refusedCalls = 0
    /// Long messages on their way.
    @exclusivity(unchecked) var outbox = Outbox()
    /// Calls whose long requests wait for their place in ``outbox``.
    @exclusivity(unchecked) var delayed: [(call: PendingCall, key: CallKey)] = []
    /// From how many bytes on a message is compressed or sent in pieces.
    @exclusivity(unchecked) var longBytesMin = Int.max
    /// The bytes in the connection's queue beyond which no request is added.
    let requestsQueuedMax: Int
    /// Calls of the peer's that go on although the connection ended.
    var outliving = 0
    private var timer: TimerID?
    private var timerAt = Int64.max
    private var onClose: ((PeerConnection) -> Void)?
    /// Told how many calls this side may make here, when that changes; 0: no more.
    var onCapacity: ((Int) -> Void)?
    /// The configured time in nanoseconds; `.max`: none.
    let callTimeout: Int64

    init(
        _ connection: Connection, role: PeerRole, configuration: RPCConfiguration,
        table: MethodTable, mailbox: LoopMailbox, shelf: ServedCallShelf,
        onClose: ((PeerConnection) -> Void)? = nil
    ) {
        loop = connection.loop
        self.connection = connection
        self.mailbox = mailbox
        self.shelf = shelf
        self.table = table
        self.configuration = configuration
        self.onClose = onClose
        callTimeout = configuration.callTimeout?.inNanoseconds ?? .max
        let queueBytesMax = configuration.connection.sendQueueBytesMax
        requestsQueuedMax = queueBytesMax - queueBytesMax / 16
        let limits = configuration.core
        let credit = min(limits.settings.streamCredit, limits.settings.connectionCredit)
        creditStep = max(1, Int(credit) / 4)
        core = ConnectionCore(
            role: role, limits: limits, now: connection.loop.now.nanoseconds)
        decoder = FrameDecoder(
            dataBytesMax: min(configuration.messageBytesMax, FrameHeader.dataBytesMax))
    }

    // MARK: - Frames that arrive

    func received(_ bytes: inout MutableRawSpan, on connection: Connection) {
        let now = loop.now.nanoseconds
        core.heard(now)
        // The pointer is used within the call only.
        bytes.bytes.withUnsafeBytes { input in
            do throws(ProtocolViolation) {
                var cursor = 0
                while let event = try decoder.next(in: input, at: &cursor) {
                    switch event {
                    case .frame(let header, .input(let range)):
                        try receive(header, .init(rebasing: input[range]), now)
                    case .frame(let header, .kept): try receive(header, decoder.kept, now)
                    case .oversized(let header):
                        carryOut(try core.receivedSkipped(header), .init(start: nil, count: 0))
                    }
                    if connection.isEnded { return }
                }
            } catch {
                // The peer sees the end; there is no frame that says why.
                connection.abort()
            }
        }
        if core.expiredOnArrival > 0 {
            shelf.gate.shed(core.expiredOnArrival)
            core.expiredOnArrival = 0
        }
        sendWaiting()
        armTimer()
        closeIfDrained()
        shelf.endBurst()
    }

    @inline(__always)
    private func receive(
        _ header: FrameHeader, _ data: UnsafeRawBufferPointer, _ now: Int64
    ) throws(ProtocolViolation) {
        guard header.flags.isDisjoint(with: .unfinished), core.partials.isEmpty else {
            return try receivePiece(header, data, now)
        }
        carryOut(try core.received(header, data, at: now), data)
        dropCancelled(header)
    }

    /// The peer gave a call of its own up: what was to be sent on it is not.
    @inline(__always)
    func dropCancelled(_ header: FrameHeader) {
        guard header.type == .cancel, !core.isOwn(header.stream) else { return }
        drop(stream: header.stream)
    }

    @inline(__always)
    func carryOut(_ event: CoreEvent, _ data: UnsafeRawBufferPointer) {
        if core.hasControl {
            // A CANCEL drops what was left of its call: first writers are told why.
            if case .broken(let slot) = event { end(slot, Self.broken) }
            sendControl()
        }
        switch event {
        case .none: break
        case .call(let slot, let envelope, let shape): serve(slot, envelope, shape, data)
        case .reply(let slot, let envelope): end(slot, envelope, data)
        case .broken(let slot): end(slot, Self.broken)
        case .data(let side, let slot, let hasMessage, let isEnd, let isOver):
            receive(side, slot, hasMessage ? data : nil, isEnd: isEnd, isOver: isOver)
        case .cancelled(let slot): abandon(slot, Self.givenUp)
        case .credit: flushWaiting()
        case .negotiated:
            noteLongMessages()
            keepAlive()
            onCapacity?(core.outgoingMax)
        case .goAway(let goAway): wentAway(goAway)
        }
    }

    func receivedEnd(on connection: Connection) {
        onCapacity?(0)
        connection.close()
    }

    func closed(_ connection: Connection, reason: CloseReason) {
        isClosed = true
        if let timer { loop.cancel(timer) }
        (timer, timerAt) = (nil, .max)
        var cursor: UInt32 = 0
        while let (slot, wasSent) = core.nextLost(&cursor) {
            let error = RPCError(
                .unavailable, "the connection was lost: \(reason)",
                execution: wasSent ? .unknown : .notRun)
            end(slot, error)
        }
        for (slot, call) in served.enumerated() {
            guard let call, !outlives(UInt32(slot), call, reason) else { continue }
            served[slot] = nil
            abandon(call, Self.noConnection)
        }
        for message in outbox.takeAll() { message.end(wasSent: false) }
        delayed = []
        onCapacity = nil
        guard outliving == 0 else { return armTimer() }
        served = []
        tellClosed()
    }

    /// It ended, and so did its calls.
    func tellClosed() {
        if let timer { loop.cancel(timer) }
        timer = nil
        onClose?(self)
        onClose = nil
    }

    // MARK: - Frames that are sent

    func sendControl() {
        for frame in core.takeControl() {
            connection.write(frame.bytes.span.bytes)
            switch frame {
            // What was left of the call's messages is not sent.
            case .cancel(let stream, _), .refusal(let stream, _): drop(stream: stream)
            case .settings, .ping, .pong, .window, .goAway: break
            }
        }
    }

    /// Sends a request's frame.
    func write(
        _ head: RequestHead, _ payload: UnsafeRawBufferPointer, _ id: UInt32, _ flags: FrameFlags
    ) {
        if let place = connection.reserve(head.count + payload.count) {
            head.write(to: place, stream: id, flags: flags)
            if let base = payload.baseAddress {
                (place + head.count).copyMemory(from: base, byteCount: payload.count)
            }
            return
        }
        withUnsafeTemporaryAllocation(byteCount: head.count, alignment: 1) { place in
            guard let start = place.baseAddress else { return }
            head.write(to: start, stream: id, flags: flags)
            _ = connection.write(head: UnsafeRawBufferPointer(place), body: payload)
        }
    }

    /// Sends a response's frame; one that is too long becomes a status that says so, which is sent
    /// without text to a peer that takes next to nothing.
    func write(_ id: UInt32, _ failure: RPCError?, _ payload: UnsafeRawBufferPointer) {
        let payload = failure == nil ? payload : UnsafeRawBufferPointer(start: nil, count: 0)
        let head = ResponseHead(status: failure, payloadBytes: payload.count)
        guard head.dataBytes <= messageBytesMax || failure?.isBare == true else {
            let text = "reply of \(head.dataBytes) bytes exceeds \(messageBytesMax)"
            return write(
                id, RPCError(.resourceExhausted, failure == nil ? text : ""),
                .init(start: nil, count: 0))
        }
        guard !isLong(head.dataBytes) else { return writeLong(head, payload, id) }
        if let place = connection.reserve(head.count + payload.count) {
            head.write(to: place, stream: id)
            if let base = payload.baseAddress {
                (place + head.count).copyMemory(from: base, byteCount: payload.count)
            }
            return
        }
        withUnsafeTemporaryAllocation(byteCount: head.count, alignment: 1) { place in
            guard let start = place.baseAddress else { return }
            head.write(to: start, stream: id)
            _ = connection.write(head: UnsafeRawBufferPointer(place), body: payload)
        }
    }

    /// The longest message that both sides take. A frame's bound is that of messages which cannot be
    /// sent in pieces.
    var messageBytesMax: Int {
        guard let peer = core.peer else {
            return min(configuration.messageBytesMax, FrameHeader.dataBytesMax)
        }
        let most = peer.partialsMax > 0 ? Int.max : FrameHeader.dataBytesMax
        return min(configuration.messageBytesMax, Int(peer.messageBytesMax), most)
    }

    // MARK: - Time and the end

    func armTimer() {
        guard core.nextDeadline < timerAt else { return }
        arm(at: core.nextDeadline)
    }

    private func arm(at instant: Int64) {
        timerAt = instant
        let delay = Duration.nanoseconds(max(0, instant - loop.now.nanoseconds))
        if let timer, loop.reschedule(timer, after: delay) { return }
        timer = loop.schedule(after: delay, self)
    }

    private func keepAlive() {
        guard case .wait(let until) = core.tick(loop.now.nanoseconds), until < timerAt else {
            return
        }
        arm(at: until)
    }

    func timerFired(_ id: TimerID, on loop: EventLoop) {
        (timer, timerAt) = (nil, .max)
        let now = loop.now.nanoseconds
        for expired in core.takeExpired(now) {
            switch expired.side {
            case .outgoing:
                let error = RPCError(
                    .deadlineExceeded, "the deadline passed",
                    execution: expired.wasSent ? .unknown : .notRun)
                end(expired.slot, error)
            case .incoming: abandon(expired.slot, Self.expired)
            }
        }
        guard !isClosed else { return armTimer() }
        let next = core.tick(now)
        if core.hasControl { sendControl() }
        switch next {
        case .dead: return connection.abort()
        case .wait(let until):
            let due = min(until, core.nextDeadline)
            if due != .max { arm(at: due) }
        }
        sendWaiting()
        if core.isUnresponsive { leave() }
        closeIfDrained()
    }

    /// The peer answers nothing: what runs may end, each call by its deadline.
    private func leave() {
        guard !core.isClosing else { return }
        onCapacity?(0)
        stopCalling()
    }

    private func wentAway(_ goAway: GoAway) {
        onCapacity?(0)
        var cursor: UInt32 = 0
        while let slot = core.nextNotAccepted(&cursor) {
            end(
                slot,
                RPCError(.unavailable, "the peer goes away: \(goAway.text)", execution: .notRun))
        }
    }

    /// The peer has called something, or can be told to go elsewhere.
    var hasCalled: Bool { core.lastIncoming > 0 || core.peer != nil }

    /// Takes no more calls; ends the connection when those that run are over.
    func drain() {
        guard !isClosed else { return }
        core.drain()
        sendControl()
        closeIfDrained()
    }

    /// As ``drain()``, and opens no more calls.
    func stopCalling() {
        core.isClosing = true
        drain()
    }

    /// A place was freed, or what was to be sent has left, in the middle of something: what follows from that
    /// is done after it.
    func settleLater() {
        guard !isSettlingScheduled else { return }
        isSettlingScheduled = true
        loop.execute { [self] in
            isSettlingScheduled = false
            guard !isClosed else { return }
            sendWaiting()
            closeIfDrained()
        }
    }

    func closeIfDrained() {
        if core.owed != nil {
            core.tellDraining()
            if core.hasControl { sendControl() }
        }
        guard core.isDraining || core.goneAway != nil || core.isClosing, core.isIdle, !isClosed
        else {
            return
        }
        // The last reply may still be leaving.
        guard outbox.isEmpty else { return }
        connection.close()
    }
}
