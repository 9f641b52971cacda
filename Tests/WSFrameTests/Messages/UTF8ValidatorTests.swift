import NetPollTesting
import Testing
import WSFrame

@Suite("UTF8Validator, RFC 3629 and RFC 6455 §8.1")
struct UTF8ValidatorTests {
    /// Whether `bytes` are valid when they come in pieces, and whether every piece was accepted.
    private func outcome(of bytes: [UInt8], pieceBytes: Int) -> (accepted: Int, isWhole: Bool) {
        var validator = UTF8Validator()
        for start in stride(from: 0, to: bytes.count, by: pieceBytes) {
            let piece = Array(bytes[start..<min(start + pieceBytes, bytes.count)])
            guard validator.validate(piece.span.bytes) else { return (start, false) }
        }
        return (bytes.count, validator.isAtBoundary)
    }

    @Test(arguments: [
        "", "a", "plain ASCII of more than eight bytes", "é", "\u{7FF}", "\u{800}", "語",
        "\u{D7FF}\u{E000}\u{FFFD}\u{FFFF}", "🙂", "\u{10000}\u{10FFFF}", "aé語🙂z",
        "0123456é", "01234567語", "012345678🙂", "ASCII, then Ελληνικά, кириллица, 漢字かな交じり文, 🙂🙃",
    ])
    func `valid text is accepted however it is cut`(text: String) {
        let bytes = Array(text.utf8)
        for pieceBytes in 1...(bytes.count + 1) {
            let outcome = outcome(of: bytes, pieceBytes: pieceBytes)
            #expect(outcome.accepted == bytes.count && outcome.isWhole)
        }
    }

    @Test(
        arguments: [
            ([0x80], 0), ([0xBF], 0), ([0xC0, 0x80], 0), ([0xC1, 0xBF], 0), ([0xF5], 0),
            ([0xFF], 0),
            ([0xE0, 0x80, 0x80], 1), ([0xE0, 0x9F, 0xBF], 1), ([0xED, 0xA0, 0x80], 1),
            ([0xED, 0xBF, 0xBF], 1), ([0xF0, 0x80, 0x80, 0x80], 1), ([0xF0, 0x8F, 0xBF, 0xBF], 1),
            ([0xF4, 0x90, 0x80, 0x80], 1), ([0xC3, 0x28], 1), ([0xE2, 0x82, 0x28], 2),
            ([0xE2, 0x28, 0xA1], 1), ([0xF0, 0x9F, 0x99, 0x28], 3), ([0xC3, 0xC3], 1),
            ([0x61, 0xCE, 0xBA, 0xED, 0xA0, 0x80, 0x65], 4),
        ] as [([UInt8], Int)])
    func `an invalid sequence is refused at its first bad byte`(bytes: [UInt8], bad: Int) {
        #expect(outcome(of: bytes, pieceBytes: 1).accepted == bad)
        for padding in 0...17 {
            let padded =
                [UInt8](repeating: 0x61, count: padding) + bytes + Array("tail of text".utf8)
            for pieceBytes in 1...(padded.count) {
                let outcome = outcome(of: padded, pieceBytes: pieceBytes)
                let piece = (padding + bad) / pieceBytes * pieceBytes
                #expect(outcome.accepted == piece && !outcome.isWhole)
            }
        }
    }

    @Test(arguments: ["é", "語", "🙂"])
    func `text that ends inside a character is not whole`(text: String) {
        for length in 1..<text.utf8.count {
            let outcome = outcome(of: Array(text.utf8.prefix(length)), pieceBytes: 8)
            #expect(outcome.accepted == length && !outcome.isWhole)
        }
    }

    @Test func `every scalar is accepted`() {
        var bytes: [UInt8] = []
        for value in 0...0x10FFFF as ClosedRange<UInt32> {
            guard let scalar = Unicode.Scalar(value) else { continue }
            bytes.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
        }
        var validator = UTF8Validator()
        let isAccepted = validator.validate(bytes.span.bytes)
        #expect(isAccepted)
        #expect(validator.isAtBoundary)
    }

    @Test(arguments: 0..<200 as Range<UInt64>)
    func `it agrees with the standard library on damaged text`(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        var bytes = Array(String(repeating: "abcdefgh é語🙂 ", count: 8).utf8)
        for _ in 0..<Int.random(in: 0...2, using: &generator) {
            let index = Int.random(in: bytes.indices, using: &generator)
            bytes[index] = UInt8.random(in: 0...255, using: &generator)
        }
        bytes = Array(bytes.prefix(Int.random(in: 0...bytes.count, using: &generator)))
        let expected = String(validating: bytes, as: UTF8.self) != nil
        for pieceBytes in [1, 2, 3, 5, 8, 13, 64, 1000] {
            let outcome = outcome(of: bytes, pieceBytes: pieceBytes)
            #expect(
                (outcome.accepted == bytes.count && outcome.isWhole) == expected, "seed \(seed)")
        }
    }
}
