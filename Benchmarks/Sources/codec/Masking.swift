import WSFrame

private let key = MaskingKey(0x37, 0xFA, 0x21, 0x3D)

/// Unmasking in place, over payloads that lie one after another as in a stream of short frames.
func measureMasking(_ bench: Bench) {
    for size in [1, 2, 3, 4, 5, 7, 8, 11, 12, 15, 16, 64, 125, 1 << 10, 16 << 10, 1 << 20] {
        let count = max(1, (4 << 10) / (size + 6))
        let buffer = UnsafeMutableRawBufferPointer.allocate(
            byteCount: count * (size + 6), alignment: 64)
        defer { buffer.deallocate() }
        buffer.initializeMemory(as: UInt8.self, repeating: 0x61)
        func payload(_ index: Int) -> UnsafeMutableRawBufferPointer {
            let start = index * (size + 6) + 6
            return UnsafeMutableRawBufferPointer(rebasing: buffer[start..<(start + size)])
        }
        bench.bytes("unmask", "WSFrame", size, bytes: count * size) {
            for index in 0..<count {
                var span = payload(index).mutableBytes
                Masking.apply(key, to: &span)
            }
        }
        bench.bytes("unmask", "byte loop", size, bytes: count * size) {
            for index in 0..<count { maskByBytes(payload(index)) }
        }
    }
}

@inline(never)
private func maskByBytes(_ payload: UnsafeMutableRawBufferPointer) {
    let word: UInt32 = 0x3D21_FA37
    for index in 0..<payload.count {
        payload[index] ^= UInt8(truncatingIfNeeded: word &>> UInt32((index & 3) &* 8))
    }
}
