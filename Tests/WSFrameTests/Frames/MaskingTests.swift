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

    @Test(arguments: VectorLevel.allCases.filter { $0 <= .best }, 0...31)
    func `every vector loop masks every length alike`(level: VectorLevel, alignment: Int) {
        let longest = 700
        let plain = (0..<longest).map { UInt8(truncatingIfNeeded: $0 &* 37) }
        let expected = plain.indices.map { plain[$0] ^ Self.keyBytes[$0 % 4] }
        withUnsafeTemporaryAllocation(byteCount: longest + 64, alignment: 64) { buffer in
            for count in [Int](0...140) + stride(from: 141, through: longest, by: 13)
                + [255, 256, 257]
            {
                // The key's phase differs from one length to the next, and so does the source's.
                let phase = (count / 4 + alignment) % 4
                let source = plain[phase..<max(phase, count)]
                let place = UnsafeMutableRawBufferPointer(rebasing: buffer[alignment...])
                place.initializeMemory(as: UInt8.self, repeating: 0xEE)
                place.copyBytes(from: source)
                var span = UnsafeMutableRawBufferPointer(rebasing: place[..<source.count])
                    .mutableBytes
                let next = Masking.apply(key.advanced(by: phase), to: &span, with: level)
                let isSame = place[..<source.count].elementsEqual(
                    expected[phase..<max(phase, count)])
                #expect(isSame, "\(source.count) bytes, phase \(phase)")
                #expect(place[source.count] == 0xEE, "\(source.count) bytes, phase \(phase)")
                #expect(next == key.advanced(by: phase + source.count))
            }
        }
    }

    @Test(arguments: 0...40)
    func `masking into another buffer gives the same bytes`(alignment: Int) {
        for count in [0, 1, 3, 4, 15, 16, 17, 63, 64, 255, 256, 257, 300, 511, 640] {
            let plain = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 11) }
            let room = FrameHeader.bytesMax + alignment + count
            let frame = [UInt8](unsafeUninitializedCapacity: room) { buffer, initialized in
                buffer.initialize(repeating: 0)
                let target = UnsafeMutableRawBufferPointer(
                    rebasing: UnsafeMutableRawBufferPointer(buffer)[alignment...])
                let written = FrameEncoder.encode(
                    plain.span.bytes, opcode: .binary, maskingKey: key, into: target)
                initialized = alignment + written
            }
            let expected = plain.indices.map { plain[$0] ^ Self.keyBytes[$0 % 4] }
            #expect(Array(frame.suffix(count)) == expected)
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
