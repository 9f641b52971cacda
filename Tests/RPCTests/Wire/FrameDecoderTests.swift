import NetPollTesting
import Testing

@testable import RPC

@Suite("FrameDecoder, ttrpc 1.2")
struct FrameDecoderTests {
    @Test(arguments: Vectors.all.keys.sorted())
    func `every vector is of whole frames that are written as they were read`(name: String) throws {
        let bytes = try Vectors.frame(name)
        var decoder = FrameDecoder()
        let frames = try decoder.frames(in: bytes)
        #expect(!frames.isEmpty)
        #expect(frames.flatMap(\.bytes) == bytes)
        #expect(decoder.heldBytes == 0)
    }

    @Test(arguments: 1...31)
    func `frames do not depend on how the bytes are cut`(pieceBytes: Int) throws {
        let bytes = Vectors.all.keys.sorted().flatMap { Vectors.all[$0] ?? [] }
        var whole = FrameDecoder()
        let expected = try whole.frames(in: bytes)
        var decoder = FrameDecoder()
        var frames: [Frame] = []
        for start in stride(from: 0, to: bytes.count, by: pieceBytes) {
            frames += try decoder.frames(
                in: Array(bytes[start..<min(bytes.count, start + pieceBytes)]))
        }
        #expect(frames == expected)
        #expect(decoder.heldBytes == 0)
        let isInside = decoder.isInsideFrame
        #expect(!isInside)
    }

    @Test(arguments: 0..<100 as Range<UInt64>)
    func `random cuts give the same frames`(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let sent = (0..<20).map { _ in
            let data = (0..<Int.random(in: 0...2_000, using: &random)).map {
                UInt8(truncatingIfNeeded: $0)
            }
            return Frame(
                FrameType(rawValue: .random(in: 0...255, using: &random)),
                stream: .random(in: 0...(.max), using: &random),
                flags: FrameFlags(rawValue: .random(in: 0...255, using: &random)), data)
        }
        let bytes = sent.flatMap(\.bytes)
        var decoder = FrameDecoder()
        var frames: [Frame] = []
        var start = 0
        while start < bytes.count {
            let end = min(bytes.count, start + Int.random(in: 1...3_000, using: &random))
            frames += try decoder.frames(in: Array(bytes[start..<end]))
            start = end
        }
        #expect(frames == sent, "seed \(seed)")
    }

    @Test func `a message of exactly the limit is taken, one byte more is skipped`() throws {
        var decoder = FrameDecoder()
        let largest = Frame(.data, stream: 1, [UInt8](repeating: 7, count: 4 << 20))
        let larger = Frame(.data, stream: 3, [UInt8](repeating: 7, count: 4 << 20 + 1))
        let after = Frame(.data, stream: 5, [1])
        let frames = try decoder.frames(in: largest.bytes + larger.bytes + after.bytes)
        #expect(frames.map(\.data.count) == [4 << 20, 0, 1])
        #expect(frames.map(\.header.stream) == [1, 3, 5])
    }

    @Test func `a skipped frame is skipped in pieces too, and holds no memory`() throws {
        var decoder = FrameDecoder(dataBytesMax: 10)
        let bytes = Frame(.request, stream: 1, [UInt8](repeating: 7, count: 100)).bytes
        var seen: [UInt32] = []
        for byte in bytes + Frame(.data, stream: 3, [1]).bytes {
            seen += try decoder.frames(in: [byte]).map(\.header.stream)
            #expect(decoder.heldBytes <= 512)
        }
        #expect(seen == [1, 3])
    }

    @Test(arguments: [16 << 20, 16 << 20 + 1, Int(UInt32.max)])
    func `an announced length of 16 MiB or more ends the connection`(dataBytes: Int) throws {
        var decoder = FrameDecoder()
        let header = Frame(FrameHeader(dataBytes: dataBytes, stream: 1, type: .data), [])
        let error = #expect(throws: ProtocolViolation.self) { try decoder.frames(in: header.bytes) }
        #expect(error?.reason == .implausibleLength(dataBytes))
    }

    @Test(arguments: [1, 100, 40_000])
    func `what is kept is never more than the frame`(pieceBytes: Int) throws {
        var decoder = FrameDecoder()
        let bytes = Frame(.data, stream: 1, [UInt8](repeating: 7, count: 65_000)).bytes
        var most = 0
        for start in stride(from: 0, to: bytes.count, by: pieceBytes) {
            _ = try decoder.frames(in: Array(bytes[start..<min(bytes.count, start + pieceBytes)]))
            most = max(most, decoder.heldBytes)
        }
        #expect((1...65_000).contains(most))
    }

    @Test func `what is kept grows with what came, not with what was announced`() throws {
        var decoder = FrameDecoder()
        let header = Frame(FrameHeader(dataBytes: 4 << 20, stream: 1, type: .data), [])
        #expect(try decoder.frames(in: header.bytes + [1, 2, 3]).isEmpty)
        #expect(decoder.heldBytes <= 512)
    }

    @Test(arguments: 0..<200 as Range<UInt64>)
    func `garbage never traps, and every byte is consumed or refused`(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var decoder = FrameDecoder(dataBytesMax: 1_000)
        for _ in 0..<50 {
            let garbage = (0..<Int.random(in: 1...300, using: &random)).map { index in
                // Lengths that are small enough to be believed come often.
                index % 10 < 2 ? 0 : UInt8.random(in: 0...255, using: &random)
            }
            do {
                _ = try decoder.frames(in: garbage)
            } catch {
                return
            }
        }
    }
}
