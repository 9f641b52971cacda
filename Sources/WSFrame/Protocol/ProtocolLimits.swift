/// What one connection may make this side hold or do.
///
/// A limit that is passed fails the connection with the code named at each.
public struct ProtocolLimits: Hashable, Sendable {
    /// The longest payload of one frame, in bytes; beyond it 1009.
    ///
    /// 1 MiB by default.
    public var framePayloadBytesMax: Int
    /// The longest message, summed over its frames, in bytes; beyond it 1009.
    ///
    /// 1 MiB by default.
    public var messageBytesMax: Int
    /// The most frames of one message; beyond it 1008.
    ///
    /// 1,024 by default. It bounds the work that empty continuation frames can cause, which no byte limit does.
    public var fragmentsMax: Int
    /// The most control frames in one lent input; beyond it 1008.
    ///
    /// 1,024 by default. It bounds the replies that one read can cause. The count starts again with each input, so that
    /// a connection kept alive by pings alone never reaches it.
    public var controlFramesPerInputMax: Int

    /// Makes limits; every one has a default.
    ///
    /// - Precondition: No limit is below 1, and ``framePayloadBytesMax`` is at least 125, what a
    ///   control frame may carry.
    public init(
        framePayloadBytesMax: Int = 1 << 20,
        messageBytesMax: Int = 1 << 20,
        fragmentsMax: Int = 1024,
        controlFramesPerInputMax: Int = 1024
    ) {
        precondition(
            framePayloadBytesMax >= 125, "framePayloadBytesMax of \(framePayloadBytesMax) < 125")
        precondition(messageBytesMax >= 1, "messageBytesMax of \(messageBytesMax) < 1")
        precondition(fragmentsMax >= 1, "fragmentsMax of \(fragmentsMax) < 1")
        precondition(
            controlFramesPerInputMax >= 1,
            "controlFramesPerInputMax of \(controlFramesPerInputMax) < 1")
        self.framePayloadBytesMax = framePayloadBytesMax
        self.messageBytesMax = messageBytesMax
        self.fragmentsMax = fragmentsMax
        self.controlFramesPerInputMax = controlFramesPerInputMax
    }
}
