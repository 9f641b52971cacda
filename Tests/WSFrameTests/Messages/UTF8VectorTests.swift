import NetPollTesting
import Testing
import WSFrame

/// Every vector loop of this machine against the portable loop: same verdict, same state.
@Suite("UTF8Validator's vector loops, RFC 3629")
struct UTF8VectorTests {
    static let levels = VectorLevel.allCases.filter { $0 > .portable && $0 <= .best }

    /// Bytes on either side of every limit of Unicode's table 3-7.
    private static let edges: [UInt8] = [
        0x00, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE0, 0xE1, 0xEC,
        0xED, 0xEE, 0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xFF,
    ]

    private static let background = Array("ASCII, Ελληνικά, 漢字かな交じり文 and 🙂🙃 go by. ".utf8)

    /// What a validator makes of `bytes`: its state, or `nil` where it refuses them.
    private static func state(
        after bytes: UnsafeRawBufferPointer, from old: UTF8Validator = UTF8Validator(),
        _ level: VectorLevel
    ) -> UTF8Validator? {
        var validator = old
        return validator.validate(bytes.bytes, with: level) ? validator : nil
    }

    /// Puts `sequences` of four bytes over text, at a place that differs from one to the next, and
    /// compares; whole, and cut at the sequence's end.
    private static func compare(
        _ level: VectorLevel, _ sequences: (_ visit: (UInt8, UInt8, UInt8, UInt8) -> Void) -> Void
    ) -> [UInt8]? {
        let count = 80
        let text = (0..<count).map { _ in UInt8(ascii: "a") }
        var failed: [UInt8]?
        var place = 0
        withUnsafeTemporaryAllocation(byteCount: count, alignment: 32) { buffer in
            buffer.copyBytes(from: text)
            sequences { first, second, third, fourth in
                place = (place + 7) % (count - 4)
                let bytes = [first, second, third, fourth]
                for index in 0..<4 { buffer[place + index] = bytes[index] }
                for end in [place + 4, count] {
                    let range = UnsafeRawBufferPointer(rebasing: buffer[..<end])
                    if state(after: range, level) != state(after: range, .portable) {
                        failed = failed ?? bytes
                    }
                }
                for index in 0..<4 { buffer[place + index] = UInt8(ascii: "a") }
            }
        }
        return failed
    }

    @Test(arguments: levels)
    func `agree on every sequence of bytes at the limits`(level: VectorLevel) {
        let failed = Self.compare(level) { visit in
            for first in Self.edges {
                for second in Self.edges {
                    for third in Self.edges {
                        for fourth in [0x41, 0x80, 0xBF, 0xC3, 0xF0] as [UInt8] {
                            visit(first, second, third, fourth)
                        }
                    }
                }
            }
        }
        #expect(failed == nil)
    }

    @Test(arguments: levels)
    func `agree on every pair of bytes`(level: VectorLevel) {
        let failed = Self.compare(level) { visit in
            for first in 0...255 as ClosedRange<UInt8> {
                for second in 0...255 as ClosedRange<UInt8> {
                    visit(first, second, 0x80, 0x61)
                }
            }
        }
        #expect(failed == nil)
    }

    @Test(arguments: levels, 0...31)
    func `agree on text of every length at every alignment`(level: VectorLevel, alignment: Int) {
        let text = Self.background + Self.background + Self.background + Self.background
        withUnsafeTemporaryAllocation(byteCount: 256, alignment: 32) { buffer in
            let place = UnsafeMutableRawBufferPointer(rebasing: buffer[alignment...])
            for shift in 0..<4 {
                place.copyBytes(from: text[shift..<(shift + 200)])
                for count in 0...200 {
                    let range = UnsafeRawBufferPointer(rebasing: place[..<count])
                    let isSame =
                        Self.state(after: range, level) == Self.state(after: range, .portable)
                    #expect(isSame, "\(count) bytes from \(shift)")
                }
            }
        }
    }

    @Test(arguments: levels)
    func `agree on text however it is cut in two`(level: VectorLevel) {
        let text = Array((Self.background + Self.background + Self.background).prefix(180))
        text.withUnsafeBytes { bytes in
            for cut in 0...bytes.count {
                let head = UnsafeRawBufferPointer(rebasing: bytes[..<cut])
                let tail = UnsafeRawBufferPointer(rebasing: bytes[cut...])
                let between = Self.state(after: head, level)
                #expect(between == Self.state(after: head, .portable), "cut at \(cut)")
                guard let between else { continue }
                let end = Self.state(after: tail, from: between, level)
                #expect(end == Self.state(after: bytes, .portable), "cut at \(cut)")
            }
        }
    }

    @Test(arguments: 0..<300 as Range<UInt64>)
    func `agree on damaged text`(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        for level in Self.levels {
            let repeats = Int.random(in: 1...12, using: &generator)
            var bytes = (0..<repeats).flatMap { _ in Self.background }
            if Bool.random(using: &generator) { bytes += [UInt8](repeating: 0x61, count: 300) }
            for _ in 0..<Int.random(in: 0...2, using: &generator) {
                let index = Int.random(in: bytes.indices, using: &generator)
                bytes[index] = Self.edges.randomElement(using: &generator) ?? 0xFF
            }
            bytes.withUnsafeBytes { bytes in
                let from = Int.random(in: 0...3, using: &generator)
                let range = UnsafeRawBufferPointer(rebasing: bytes[from...])
                let isSame = Self.state(after: range, level) == Self.state(after: range, .portable)
                #expect(isSame, "seed \(seed)")
            }
        }
    }

    @Test(arguments: levels)
    func `find a bad byte wherever it stands`(level: VectorLevel) {
        for count in Array(16...100) + [127, 128, 129, 200, 400] {
            var bytes = [UInt8](repeating: 0x61, count: count)
            for index in bytes.indices {
                bytes[index] = 0xFF
                let isRefused = bytes.withUnsafeBytes { Self.state(after: $0, level) == nil }
                #expect(isRefused, "\(index) of \(count)")
                bytes[index] = 0x61
            }
        }
    }
}
