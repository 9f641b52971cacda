/// How messages are compressed, between two sides that both do so (PROTOCOL.md, "Compression").
public struct RPCCompression: Hashable, Sendable {
    /// Messages shorter than this are sent as they are; at least 0. Default 1,024.
    public var messageBytesMin = 1_024
    /// zlib's level, from 1 (fast) to 9 (small). Default 1.
    public var level = 1

    public init() {}

    /// Traps on values that make no sense.
    func check() {
        precondition(messageBytesMin >= 0, "messages from \(messageBytesMin) bytes on")
        precondition((1...9).contains(level), "zlib has no level \(level)")
    }

    /// Each message by itself, with zlib (RFC 1950).
    public static let zlib = RPCCompression()
}
