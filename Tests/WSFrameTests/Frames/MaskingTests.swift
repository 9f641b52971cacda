import Testing
import WSFrame

@Suite("Masking, RFC 6455 §5.3")
struct MaskingTests {
    private static let keyBytes: [UInt8] = [0x01, 0x80, 0xFE, 0x3C]
    private let key = MaskingKey(0x01, 0x80, 0xFE, 0x3C)

    @Test(arguments: 0...300)
    func `byte i is combined with byte i modulo 4 of the key`(count: Int) {
        let plain = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        let expected = plain.indices.map { plain[$0] ^ Self.keyBytes[$0 % 4] }
        #expect(ClientFrames.masked(plain, key: key) == expected)
    }

    @Test(arguments: 0...40)
    func `the key goes on where the last piece ended`(first: Int) {
        let plain = (0..<97).map { UInt8($0) }
        var pieces = plain
        var next = mask(0..<first, of: &pieces, with: key)
        next = mask(first..<97, of: &pieces, with: next)
        #expect(pieces == ClientFrames.masked(plain, key: key))
        #expect(next == key.advanced(by: 97))
    }

    @Test(arguments: 0...70, 0...7)
    func `no byte beside the payload is touched`(count: Int, offset: Int) {
        var bytes = [UInt8](repeating: 0x55, count: offset + count + 70)
        mask(offset..<(offset + count), of: &bytes, with: MaskingKey(1, 1, 1, 1))
        for index in bytes.indices {
            let isInside = index >= offset && index < offset + count
            #expect(bytes[index] == (isInside ? 0x54 : 0x55))
        }
    }

    @discardableResult
    private func mask(
        _ range: Range<Int>, of bytes: inout [UInt8], with key: MaskingKey
    ) -> MaskingKey {
        bytes.withUnsafeMutableBytes { buffer in
            var span = UnsafeMutableRawBufferPointer(rebasing: buffer[range]).mutableBytes
            return Masking.apply(key, to: &span)
        }
    }
}
