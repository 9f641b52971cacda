/// The settings that all connections of one server or client share.
///
/// Made once and referenced by every ``ServerProtocol``, so that a connection pays eight bytes for it.
public final class ProtocolConfiguration: Sendable {
    public let limits: ProtocolLimits
    /// The longest message that needs no further check of its length.
    let inPlaceBytesMax: Int

    public init(limits: ProtocolLimits = ProtocolLimits()) {
        self.limits = limits
        inPlaceBytesMax = min(limits.framePayloadBytesMax, limits.messageBytesMax)
    }
}
