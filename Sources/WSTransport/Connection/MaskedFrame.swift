import WSFrame

/// A frame of a client that the gather buffer does not take; its memory lives until it is sent, and
/// is then used for the next.
final class MaskedFrame {
    private let memory: UnsafeMutableRawBufferPointer
    /// The frame that was encoded last.
    private(set) var bytes = UnsafeRawBufferPointer(start: nil, count: 0)

    init(capacity: Int) {
        memory = .allocate(byteCount: capacity, alignment: 16)
    }

    deinit { memory.deallocate() }

    var capacity: Int { memory.count }

    /// Encodes a frame of `count` bytes, at most ``capacity``.
    func encode(
        _ payload: RawSpan, opcode: Opcode, isCompressed: Bool, key: MaskingKey, count: Int
    ) {
        let target = UnsafeMutableRawBufferPointer(rebasing: memory[..<count])
        FrameEncoder.encode(
            payload, opcode: opcode, isCompressed: isCompressed, maskingKey: key, into: target)
        bytes = UnsafeRawBufferPointer(target)
    }
}
