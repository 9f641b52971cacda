import WSFrame

/// A frame of a client too large for the gather buffer; lives until it is sent.
final class MaskedFrame {
    private let memory: UnsafeMutableRawBufferPointer

    init(_ payload: RawSpan, opcode: Opcode, isCompressed: Bool, key: MaskingKey) {
        let count = payload.byteCount
        memory = .allocate(
            byteCount: FrameEncoder.headerBytes(payloadBytes: count, role: .client) + count,
            alignment: 16)
        FrameEncoder.encode(
            payload, opcode: opcode, isCompressed: isCompressed, maskingKey: key, into: memory)
    }

    deinit { memory.deallocate() }

    var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(memory) }
}
