import WSFrame

/// The validator beside one that reads scalar by scalar: the first byte that cannot belong to valid
/// UTF-8 fails, no other does, with every vector loop of the machine and however the text is cut.
enum UTF8Check {
    // One byte chooses the cuts, the rest is the text.
    static func finding(in input: [UInt8]) -> String? {
        guard let seed = input.first else { return nil }
        let text = Array(input.dropFirst())
        let (bad, isWhole) = reference(text)
        for level in VectorLevel.allCases where level <= .best {
            for cuts in [Cuts.none, .everywhere, .seeded(seed)] {
                var validator = UTF8Validator()
                var read = 0
                var failed: Range<Int>?
                cuts.forEachPiece(of: text) { piece in
                    let range = read..<(read + piece.count)
                    read += piece.count
                    if validator.validate(piece.span.bytes, with: level) { return true }
                    failed = range
                    return false
                }
                let place = "\(level), \(cuts), \(text)"
                if let bad {
                    guard let failed else { return "\(place): byte \(bad) passed" }
                    guard failed.contains(bad) else { return "\(place): \(failed), not \(bad)" }
                } else {
                    if let failed { return "\(place): \(failed) of valid bytes failed" }
                    guard validator.isAtBoundary == isWhole else { return "\(place): the end" }
                }
            }
        }
        return nil
    }

    /// Where the first invalid byte is, and whether the end is that of a character (RFC 3629 §4).
    private static func reference(_ text: [UInt8]) -> (bad: Int?, isWhole: Bool) {
        var index = 0
        while index < text.count {
            let lead = text[index]
            var second: ClosedRange<UInt8> = 0x80...0xBF
            let count: Int
            switch lead {
            case 0x00...0x7F: count = 1
            case 0xC2...0xDF: count = 2
            case 0xE0...0xEF:
                count = 3
                if lead == 0xE0 { second = 0xA0...0xBF }
                if lead == 0xED { second = 0x80...0x9F }
            case 0xF0...0xF4:
                count = 4
                if lead == 0xF0 { second = 0x90...0xBF }
                if lead == 0xF4 { second = 0x80...0x8F }
            default: return (index, false)
            }
            for offset in 1..<max(count, 1) {
                guard index + offset < text.count else { return (nil, false) }
                let allowed = offset == 1 ? second : 0x80...0xBF
                guard allowed.contains(text[index + offset]) else { return (index + offset, false) }
            }
            index += count
        }
        return (nil, true)
    }
}
