/// The settings that all connections of one server or client share.
///
/// Made once and referenced by every ``ServerProtocol``, so that a connection pays eight bytes for
/// it.
public final class ProtocolConfiguration: Sendable {
    /// How messages are handed on.
    public enum Delivery: Hashable, Sendable {
        /// Each message whole, as ``ProtocolEvent/message(_:_:)``.
        case whole
        /// Each message in the pieces it comes in, as ``ProtocolEvent/piece(_:)``: nothing of it is
        /// kept, so that ``ProtocolLimits/messageBytesMax`` may be as large as one likes.
        case pieces
    }

    public let limits: ProtocolLimits
    public let delivery: Delivery
    /// The longest message that needs no further check of its length.
    package let inPlaceBytesMax: Int

    /// - Precondition: Every limit is in the range that ``ProtocolLimits`` names.
    public init(limits: ProtocolLimits = ProtocolLimits(), delivery: Delivery = .whole) {
        limits.check()
        self.limits = limits
        self.delivery = delivery
        // Pieces are made step by step: below zero, no message takes the short way.
        inPlaceBytesMax =
            delivery == .whole ? min(limits.framePayloadBytesMax, limits.messageBytesMax) : -1
    }
}
