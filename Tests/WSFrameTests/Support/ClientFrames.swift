import WSFrame

/// Frames as a client sends them: masked, and as wrong as a test wants them.
enum ClientFrames {
    static let key = MaskingKey(0x37, 0xFA, 0x21, 0x3D)

    static func frame(
        _ opcode: Opcode,
        _ payload: [UInt8] = [],
        isFinal: Bool = true,
        isCompressed: Bool = false,
        key: MaskingKey? = ClientFrames.key
    ) -> [UInt8] {
        let header = FrameHeader(
            isFinal: isFinal, isCompressed: isCompressed, opcode: opcode,
            payloadBytes: payload.count, maskingKey: key)
        return encoded(header) + (key.map { masked(payload, key: $0) } ?? payload)
    }

    static func text(_ text: String, isFinal: Bool = true) -> [UInt8] {
        frame(.text, Array(text.utf8), isFinal: isFinal)
    }

    static func close(_ code: UInt16, reason: [UInt8] = []) -> [UInt8] {
        frame(.close, [UInt8(code >> 8), UInt8(code & 0xFF)] + reason)
    }

    /// A header whose length field is `length` in the form of `lengthBytes` (1, 2 or 8), right or
    /// wrong.
    static func header(first: UInt8, length: UInt64, lengthBytes: Int) -> [UInt8] {
        var bytes: [UInt8] = [first]
        switch lengthBytes {
        case 2: bytes.append(0xFE)
        case 8: bytes.append(0xFF)
        default: return bytes + [0x80 | UInt8(length)]
        }
        for shift in stride(from: lengthBytes * 8 - 8, through: 0, by: -8) {
            bytes.append(UInt8(truncatingIfNeeded: length >> UInt64(shift)))
        }
        return bytes
    }

    static func encoded(_ header: FrameHeader) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: FrameHeader.bytesMax) { buffer, count in
            guard let base = buffer.baseAddress else { return }
            count = FrameEncoder.encodeHeader(header, into: base)
        }
    }

    static func masked(_ payload: [UInt8], key: MaskingKey) -> [UInt8] {
        var payload = payload
        var span = payload.mutableSpan
        var bytes = span.mutableBytes
        Masking.apply(key, to: &bytes)
        return payload
    }
}
