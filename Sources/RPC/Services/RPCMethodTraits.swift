/// What is known of a method beside its messages; declared with it, for both sides.
public struct RPCMethodTraits: OptionSet, Hashable, Sendable {
    public let rawValue: UInt8

    public init(rawValue: UInt8) {
        self.rawValue = rawValue
    }

    /// Serving a request twice does no more than serving it once, so that a client may repeat or
    /// hedge it where it does not know whether it was served.
    public static let idempotent = RPCMethodTraits(rawValue: 1 << 0)
}
