import NetPoll
import WSFrame

/// What the WebSockets of one server or client share on one loop.
class WebSocketShard {
    let role: Role
    let framing: ProtocolConfiguration
    let heartbeat: Heartbeat?
    let closeTimeout: Duration
    /// Whether frames and messages have to be whole in time.
    let hasInputTimeout: Bool
    /// How long one that is not whole may bring nothing more.
    let inputStallTimeout: Duration?
    /// After what time a heartbeat's timer has to fire where it may come later than that.
    let earlyBeat: Duration?
    /// Whether a task has ever used one of its WebSockets.
    var servesTasks = false
    /// Memory that incomplete input needed, for the next; short accesses of the loop's.
    @exclusivity(unchecked) var spareAssembly = SpareAssembly()
    @exclusivity(unchecked) var spareCold: WebSocketConnection.Cold?
    private var keys = MaskingKeys()
    private var pings: UInt64 = 0
    /// The latest of the frames that the gather buffer did not take.
    private var spareFrame: MaskedFrame?
    /// Made for the first connection that compresses.
    @exclusivity(unchecked) private(set) var compressors: Compressors?

    init(
        role: Role, framing: ProtocolConfiguration, heartbeat: Heartbeat?, closeTimeout: Duration,
        inputStallTimeout: Duration?, connection: Connection.Limits
    ) {
        self.role = role
        self.framing = framing
        self.heartbeat = heartbeat
        self.closeTimeout = closeTimeout
        hasInputTimeout = connection.inputTimeout != nil
        self.inputStallTimeout = inputStallTimeout
        earlyBeat =
            if let inputStallTimeout, let heartbeat,
                max(heartbeat.interval, heartbeat.intervalMax ?? .zero) > inputStallTimeout
            {
                min(heartbeat.interval, inputStallTimeout)
            } else {
                nil
            }
    }

    /// The largest memory of a sent frame that is kept for the next; beyond it, masking costs more
    /// than the allocation.
    static let spareFrameBytesMax = 256 << 10

    /// Traps where the time is outside its range: it is counted in 32 bits of milliseconds.
    static func check(inputStallTimeout timeout: Duration?) {
        guard let timeout else { return }
        precondition(
            timeout > .zero && timeout <= .seconds(20 * 86_400), "inputStallTimeout of \(timeout)")
    }

    /// A fresh key for a frame of a client.
    func maskingKey() -> MaskingKey { keys.next() }

    /// What a ping carries that is given nothing else.
    func pingNumber() -> UInt64 {
        pings += 1
        return pings
    }

    /// Memory for a frame of `count` bytes that the gather buffer does not take: that of the last one
    /// where it was sent, which nobody else refers to then.
    func maskedFrame(bytes count: Int) -> MaskedFrame {
        if isKnownUniquelyReferenced(&spareFrame), let spareFrame, spareFrame.capacity >= count {
            return spareFrame
        }
        let frame = MaskedFrame(capacity: count)
        if count <= Self.spareFrameBytesMax { spareFrame = frame }
        return frame
    }

    /// One connection's part of the compression agreed on, or `nil` where none was.
    func codec(
        _ agreed: PerMessageDeflate?, _ configuration: CompressionConfiguration?, _ loop: EventLoop
    ) -> DeflateCodec? {
        guard let agreed, let configuration else { return nil }
        let compressors = compressors ?? Compressors(idleTimeout: configuration.idleTimeout)
        self.compressors = compressors
        compressors.connectionBegan(loop)
        return DeflateCodec(
            agreed, role: role, configuration: configuration, pool: compressors.pool)
    }

    /// One of its WebSockets is gone.
    func closed() {}
}
