import WSFrame

/// Frames as the peer of `role` sends them: masked to a server, plain to a client, and as wrong as a
/// test wants them.
struct PeerFrames {
    let role: Role

    init(of role: Role) {
        self.role = role
    }

    var key: MaskingKey? { role == .server ? ClientFrames.key : nil }

    /// The bytes of a short frame's header.
    var headerBytes: Int { role == .server ? 6 : 2 }

    func frame(
        _ opcode: Opcode, _ payload: [UInt8] = [], isFinal: Bool = true, isCompressed: Bool = false
    ) -> [UInt8] {
        ClientFrames.frame(
            opcode, payload, isFinal: isFinal, isCompressed: isCompressed, key: key)
    }

    func text(_ text: String, isFinal: Bool = true) -> [UInt8] {
        frame(.text, Array(text.utf8), isFinal: isFinal)
    }

    func close(_ code: UInt16, reason: [UInt8] = []) -> [UInt8] {
        frame(.close, [UInt8(code >> 8), UInt8(code & 0xFF)] + reason)
    }

    /// As ``ClientFrames/header(first:length:lengthBytes:)``, with a key of zeros where there is one.
    func header(first: UInt8, length: UInt64, lengthBytes: Int) -> [UInt8] {
        var bytes = ClientFrames.header(first: first, length: length, lengthBytes: lengthBytes)
        guard role == .client else { return bytes + [0, 0, 0, 0] }
        bytes[1] &= 0x7F
        return bytes
    }
}

extension Role {
    static let both: [Role] = [.server, .client]
}
