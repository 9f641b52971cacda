/// What one connection may make this side hold or do.
///
/// A limit that is passed fails the connection with the code named at each.
public struct ProtocolLimits: Hashable, Sendable {
    /// The longest payload of one frame, in bytes as they come; beyond it 1009.
    ///
    /// 1 MiB by default.
    public var framePayloadBytesMax: Int
    /// The longest message, summed over its frames, in bytes; beyond it 1009.
    ///
    /// 1 MiB by default. A compressed message is counted inflated, while it is inflated: no byte
    /// beyond the limit is ever made.
    public var messageBytesMax: Int
    /// The most frames of one message; beyond it 1008.
    ///
    /// 1,024 by default. It bounds the work that empty continuation frames can cause, which no byte
    /// limit does.
    public var fragmentsMax: Int
    /// The most control frames in one lent input; beyond it 1008.
    ///
    /// 1,024 by default. It bounds the replies that one read can cause. The count starts again with
    /// each input, so that a connection kept alive by pings alone never reaches it.
    public var controlFramesPerInputMax: Int
    /// The most control frames within one second of the driver's clock; beyond it 1008.
    ///
    /// 2,048 by default. Counted where the driver tells them, see
    /// ``ServerProtocol/controlFrameTaken(at:)``.
    public var controlFramesPerSecondMax: Int
    /// The most bytes that a message takes on the wire beside what it says: the headers of its
    /// frames, and compressed bytes beyond those they inflate to; beyond it 1008.
    ///
    /// 256 KiB by default. It bounds what a message may cost that stays empty or short.
    public var bookkeepingBytesMax: Int
    /// How many times its compressed bytes a message may inflate to; beyond it 1009.
    ///
    /// 1,032 by default, what DEFLATE can reach at all, so that ``messageBytesMax`` alone decides.
    public var inflationRatioMax: Int
    /// The most bytes that one connection's messages inflate to in one turn of the driver's; the rest
    /// waits for the next turn, so that a peer whose kilobytes become megabytes gets no more of a
    /// loop's time than others.
    ///
    /// 512 KiB by default, what a turn reads of a peer that does not compress. In force where the
    /// driver tells its turns, see ``DeflateCodec/turnBegan(_:bytesMax:)``.
    public var inflatedBytesPerTurnMax: Int

    /// Makes limits; every one has a default.
    ///
    /// - Precondition: No limit is below 1, ``framePayloadBytesMax`` is at least 125, what a
    ///   control frame may carry, and ``bookkeepingBytesMax`` at least 14, what a header takes.
    public init(
        framePayloadBytesMax: Int = 1 << 20,
        messageBytesMax: Int = 1 << 20,
        fragmentsMax: Int = 1024,
        controlFramesPerInputMax: Int = 1024,
        controlFramesPerSecondMax: Int = 2048,
        bookkeepingBytesMax: Int = 256 << 10,
        inflationRatioMax: Int = 1032,
        inflatedBytesPerTurnMax: Int = 512 << 10
    ) {
        self.framePayloadBytesMax = framePayloadBytesMax
        self.messageBytesMax = messageBytesMax
        self.fragmentsMax = fragmentsMax
        self.controlFramesPerInputMax = controlFramesPerInputMax
        self.controlFramesPerSecondMax = controlFramesPerSecondMax
        self.bookkeepingBytesMax = bookkeepingBytesMax
        self.inflationRatioMax = inflationRatioMax
        self.inflatedBytesPerTurnMax = inflatedBytesPerTurnMax
        check()
    }

    /// Traps where a limit is out of its range; also of those that were set one by one.
    func check() {
        precondition(
            framePayloadBytesMax >= 125, "framePayloadBytesMax of \(framePayloadBytesMax) < 125")
        precondition(messageBytesMax >= 1, "messageBytesMax of \(messageBytesMax) < 1")
        precondition(fragmentsMax >= 1, "fragmentsMax of \(fragmentsMax) < 1")
        precondition(
            controlFramesPerInputMax >= 1,
            "controlFramesPerInputMax of \(controlFramesPerInputMax) < 1")
        precondition(
            controlFramesPerSecondMax >= 1,
            "controlFramesPerSecondMax of \(controlFramesPerSecondMax) < 1")
        precondition(
            bookkeepingBytesMax >= FrameHeader.bytesMax,
            "bookkeepingBytesMax of \(bookkeepingBytesMax) < \(FrameHeader.bytesMax)")
        precondition(inflationRatioMax >= 1, "inflationRatioMax of \(inflationRatioMax) < 1")
        precondition(
            inflatedBytesPerTurnMax >= 1,
            "inflatedBytesPerTurnMax of \(inflatedBytesPerTurnMax) < 1")
    }
}
