/// One connection's part in `permessage-deflate` (RFC 7692 §7).
///
/// Compresses messages of this side and inflates those of the peer. Without a context taken over
/// everything is the ``DeflatePool``'s, and an idle connection holds this object alone.
public final class DeflateCodec {
    public let agreed: PerMessageDeflate
    /// What compresses for the peer, or `nil` if no window of zlib's is small enough for it.
    let key: DeflaterKey?
    private let pool: DeflatePool
    private let role: Role
    private let thresholdBytes: UInt32
    /// This side's context, if it is taken over.
    private var deflater: Deflater?
    /// The peer's context, if it is taken over; otherwise there while a message arrives.
    private var inflater: Inflater?
    /// The window of the inflater of an idle connection.
    private var restingWindow: [UInt8] = []
    private var inflation: Inflation?
    /// The pool's count when a context of this connection was last used.
    private var round: UInt32 = 0
    /// The place in the pool's list of holders; `.max` where no context is held.
    var holderIndex = UInt32.max
    /// The driver's turn that ``inflatableBytes`` is of.
    private var turn: UInt32 = 0
    /// How much may still be inflated in this turn; `.max` where the driver tells no turns.
    private var inflatableBytes = UInt32.max

    /// - Parameters:
    ///   - agreed: What the handshake came to.
    ///   - role: Which end this is.
    ///   - configuration: The level, the memory level and the threshold of this side.
    ///   - pool: The compressors of the loop that the connection belongs to.
    public init(
        _ agreed: PerMessageDeflate, role: Role, configuration: CompressionConfiguration,
        pool: DeflatePool
    ) {
        configuration.check()
        self.agreed = agreed
        self.role = role
        self.pool = pool
        thresholdBytes = UInt32(clamping: max(configuration.thresholdBytes, 1))
        let bits = min(agreed.windowBits(of: role), configuration.ownWindowBitsMax)
        // zlib would take 9 bits where 8 are asked for, and refer to bytes the peer forgot.
        key =
            bits < 9
            ? nil
            : DeflaterKey(
                windowBits: UInt8(bits), level: UInt8(configuration.level),
                memoryLevel: UInt8(configuration.memoryLevel))
    }

    deinit {
        if holderIndex != .max { pool.remove(self) }
    }

    // MARK: - Compressing

    /// Compresses one message for the peer.
    ///
    /// What it returns must be sent, as the payload of one frame with
    /// ``FrameHeader/isCompressed``, before any other compressed message; otherwise
    /// ``discardContext()`` is to be called.
    ///
    /// - Parameter message: The payload of a whole message.
    /// - Returns: `nil` where the message is to be sent as it is: it is below the threshold, or would
    ///   not become smaller. A message shorter than the window of a context is compressed even then,
    ///   so that later ones may refer to it. Valid until anything else is compressed with the same
    ///   pool.
    public func compressed(_ message: RawSpan) -> UnsafeRawBufferPointer? {
        guard let key, message.byteCount >= thresholdBytes else { return nil }
        return message.withUnsafeBytes { bytes in
            guard !agreed.noContextTakeover(of: role) else {
                let result = pool.compressed(bytes, with: key)
                return result.count < bytes.count ? result : nil
            }
            let result = pool.compressed(bytes, by: context(key))
            if result.count < bytes.count || bytes.count < 1 << Int(key.windowBits) {
                return result
            }
            // It might pass the peer's limit for frames, and of what came before it nothing is left
            // in the window.
            discardContext()
            return nil
        }
    }

    /// The compressed form of `message`, made once for all connections with the same parameters.
    ///
    /// - Returns: `nil` where the message is to be sent as it is.
    package func compressed(_ message: PreparedMessage) -> PreparedMessage.Compressed? {
        guard let key, message.mayBeCompressed, message.payload.count >= thresholdBytes,
            let result = message.compressed(with: key, pool: pool)
        else { return nil }
        // The peer's window has seen what this side's has not.
        deflater?.reset()
        return result
    }

    /// What was compressed last was not sent: what follows must not refer to it.
    public func discardContext() { deflater?.reset() }

    private func context(_ key: DeflaterKey) -> Deflater {
        round = pool.round
        if let deflater { return deflater }
        let made = Deflater(key, in: pool.memory)
        deflater = made
        hold()
        return made
    }

    // MARK: - Inflating

    /// A turn of the driver's begins, in which at most `bytesMax` bytes are inflated.
    ///
    /// Who calls it for each input bounds what one connection can do to the others of its loop.
    /// Where the bytes are used up, ``ServerProtocol/next(in:at:)`` returns `nil` before the end of
    /// its input, or with ``isFinishing`` set: reading has to pause, and the rest of the input,
    /// from the cursor on, is to be given again in a later turn, even if nothing is left of it.
    ///
    /// - Parameters:
    ///   - turn: Any number; nothing begins where it is the same as in the last call.
    ///   - bytesMax: Such as ``ProtocolLimits/inflatedBytesPerTurnMax``.
    public func turnBegan(_ turn: Int, bytesMax: Int) {
        let turn = UInt32(truncatingIfNeeded: turn)
        guard turn != self.turn || inflatableBytes == .max else { return }
        self.turn = turn
        inflatableBytes = min(UInt32(clamping: bytesMax), .max - 1)
    }

    /// Whether this turn may inflate nothing more.
    var isSpent: Bool { inflatableBytes == 0 }

    /// Whether the last frame of a message is complete, and not all of it is delivered.
    public var isFinishing: Bool { inflation?.tailBytes != nil }

    /// Whether something was handed to the driver and not released.
    var isDelivered: Bool { inflation?.isDelivered ?? false }

    /// What was handed to the driver.
    var delivered: UnsafeRawBufferPointer {
        guard let inflation, inflation.isDelivered else { preconditionFailure("nothing is kept") }
        return inflation.output.bytes
    }

    /// Begins with a compressed message of `kind`.
    func messageBegan(_ kind: MessageKind) {
        assert(inflation == nil, "a message within a message")
        let inflation = pool.takeInflation()
        inflation.kind = kind
        self.inflation = inflation
        if inflater == nil { inflater = wokenInflater() }
    }

    /// Counts the header of one of its frames.
    func frameBegan(headerBytes: Int) { inflation?.headerBytes += headerBytes }

    /// Inflates `count` bytes of the message's payload.
    ///
    /// - Returns: How many were taken: all, but for a piece that is full.
    /// - Throws: ``ProtocolViolation``, as soon as what was inflated passes a limit or is no text.
    func received(
        _ bytes: UnsafeRawPointer, count: Int, _ configuration: ProtocolConfiguration
    ) throws(ProtocolViolation) -> Int {
        guard let inflation else { preconditionFailure("no compressed message was begun") }
        let consumed = try inflate(bytes, count: count, inflation, configuration)
        inflation.wireBytes += consumed
        try inflation.checkOverhead(configuration.limits)
        return consumed
    }

    /// The payload of the last frame is complete.
    func lastFrameEnded() { inflation?.tailBytes = 0 }

    /// Inflates what is left when the last frame is complete.
    ///
    /// - Returns: Whether the message is complete; a piece that is full comes before.
    func finish(_ configuration: ProtocolConfiguration) throws(ProtocolViolation) -> Bool {
        guard let inflation, let inflater, let before = inflation.tailBytes else {
            preconditionFailure("no compressed message ends")
        }
        // After a block with BFINAL nothing was left out; an empty payload is no stream at all.
        if inflation.wireBytes > 0, before > 0 || !inflater.isAtFinalEnd {
            let tail: [4 of UInt8] = [0, 0, 0xFF, 0xFF]
            let consumed = try withUnsafeBytes(of: tail) {
                (tail) throws(ProtocolViolation) -> Int in
                guard let base = tail.baseAddress else { return 0 }
                // unsafe: at most four bytes were put back before.
                return try inflate(base + before, count: 4 - before, inflation, configuration)
            }
            inflation.tailBytes = before + consumed
            let isFull =
                configuration.delivery == .pieces && inflation.output.count == Inflation.pieceBytes
            // Something may be left to come.
            if isFull || isSpent { return false }
            guard inflater.isBetweenBlocks else { throw ProtocolViolation(.invalidCompression) }
        }
        guard inflation.utf8.isAtBoundary else { throw ProtocolViolation(.invalidText) }
        inflation.isComplete = true
        inflation.tailBytes = nil
        if agreed.noContextTakeover(of: role.peer) {
            pool.give(inflater)
            self.inflater = nil
        }
        return true
    }

    /// Marks what is inflated as handed on; ``release()`` follows.
    ///
    /// - Returns: Whether there is anything.
    func deliver() -> Bool {
        guard let inflation else { return false }
        inflation.isDelivered = true
        return inflation.output.count > 0
    }

    /// Frees what was delivered.
    func release() {
        guard let inflation, inflation.isDelivered else { return }
        if inflation.isComplete {
            self.inflation = nil
            pool.give(inflation)
        } else {
            inflation.isDelivered = false
            inflation.output.removeAll()
        }
    }

    /// Frees everything; nothing more is received.
    func discard() {
        if let inflation { pool.give(inflation) }
        inflation = nil
        inflater = nil
        restingWindow = []
        if deflater == nil, holderIndex != .max { pool.remove(self) }
    }

    private func inflate(
        _ bytes: UnsafeRawPointer, count: Int, _ inflation: Inflation,
        _ configuration: ProtocolConfiguration
    ) throws(ProtocolViolation) -> Int {
        guard let inflater else { preconditionFailure("no inflater") }
        round = pool.round
        let limits = configuration.limits
        let isWhole = configuration.delivery == .whole
        var consumed = 0
        while true {
            let left = limits.messageBytesMax - inflation.inflatedBytes
            guard left > 0 else {
                consumed += try inflateNothing(bytes + consumed, count - consumed, inflater, limits)
                return consumed
            }
            let most = isWhole ? limits.messageBytesMax : Inflation.pieceBytes
            guard inflation.output.count < most, !isSpent else { return consumed }
            let place = inflation.output.room(upTo: most)
            let room = min(place.count, left, Int(inflatableBytes))
            guard let target = place.baseAddress else { preconditionFailure("no room") }
            // unsafe: `consumed` of `count` bytes are taken; the target has `room` bytes.
            let outcome = inflater.inflate(
                bytes + consumed, count: count - consumed, into: target, room: room)
            consumed += outcome.consumed
            inflation.output.filled(outcome.produced)
            inflation.inflatedBytes += outcome.produced
            if inflatableBytes != .max { inflatableBytes -= UInt32(outcome.produced) }
            try inflation.checkRatio(wireBytes: inflation.wireBytes + consumed, limits)
            if inflation.kind == .text {
                guard inflation.utf8.validate(target, count: outcome.produced) else {
                    throw ProtocolViolation(.invalidText)
                }
            }
            // What comes before wrong bytes is judged first, as if it had come alone.
            guard outcome.isValid else { throw ProtocolViolation(.invalidCompression) }
            if outcome.produced < room { return consumed }
        }
    }

    /// Takes bytes that must not inflate to anything: the message has reached its limit.
    private func inflateNothing(
        _ bytes: UnsafeRawPointer, _ count: Int, _ inflater: Inflater, _ limits: ProtocolLimits
    ) throws(ProtocolViolation) -> Int {
        var beyond: UInt8 = 0
        let outcome = inflater.inflate(bytes, count: count, into: &beyond, room: 1)
        guard outcome.produced == 0 else {
            let bytes = UInt64(limits.messageBytesMax) + 1
            throw ProtocolViolation(.oversizedMessage(bytes: bytes, max: limits.messageBytesMax))
        }
        guard outcome.isValid else { throw ProtocolViolation(.invalidCompression) }
        return outcome.consumed
    }

    // MARK: - Contexts at rest

    private func wokenInflater() -> Inflater {
        guard !agreed.noContextTakeover(of: role.peer) else { return pool.takeInflater() }
        let made = Inflater(windowBits: agreed.windowBits(of: role.peer), in: pool.memory)
        made.restore(restingWindow)
        restingWindow = []
        hold()
        return made
    }

    private func hold() {
        if holderIndex == .max { pool.add(self) }
    }

    /// Gives back what is not needed until the next message, if none came since the last sweep.
    func rest() {
        guard round != pool.round, inflation == nil else { return }
        // The peer refers to nothing of this side's that it is not sent: it may begin anew.
        deflater = nil
        if let inflater {
            restingWindow = inflater.window()
            self.inflater = nil
        }
        // What is left is a window that no sweep can make smaller.
        pool.remove(self)
    }
}

extension Inflation {
    func checkRatio(wireBytes: Int, _ limits: ProtocolLimits) throws(ProtocolViolation) {
        let (most, isAny) = max(wireBytes, 1).multipliedReportingOverflow(
            by: limits.inflationRatioMax)
        guard isAny || inflatedBytes <= most else {
            throw ProtocolViolation(.excessiveInflation(max: limits.inflationRatioMax))
        }
    }

    func checkOverhead(_ limits: ProtocolLimits) throws(ProtocolViolation) {
        let overhead = headerBytes + max(wireBytes - inflatedBytes, 0)
        guard overhead <= limits.bookkeepingBytesMax else {
            throw ProtocolViolation(.excessiveBookkeeping(max: limits.bookkeepingBytesMax))
        }
    }
}
