/// The length of the original, with which a compressed message begins (PROTOCOL.md, "Compression").
enum MessageLength {
    static let bytes = 4

    /// What `message` says its original's length is; `nil` where it is too short.
    static func original(_ message: UnsafeRawBufferPointer) -> Int? {
        guard message.count >= bytes else { return nil }
        return Int(UInt32(bigEndian: message.loadUnaligned(as: UInt32.self)))
    }
}
