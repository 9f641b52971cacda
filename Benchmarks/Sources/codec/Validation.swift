import WSFrame

/// Whether text is UTF-8: whole texts, as they come with unfragmented messages.
func measureValidation(_ bench: Bench) {
    let texts = [
        ("ASCII", "All of these words are plain ASCII. "),
        ("CJK", "漢字かな交じり文、全部三字節。"),
        ("mixed", "Some ASCII, ein paar Umlaute: äöü, 漢字, 🙂. "),
    ]
    for (name, sample) in texts {
        for size in [16, 90, 1 << 10, 16 << 10, 1 << 20] {
            let text = bytes(of: sample, atMost: size)
            let operation = "validate \(name)"
            bench.bytes(operation, "WSFrame", size, bytes: text.count) {
                var validator = UTF8Validator()
                keep(validator.validate(text.span.bytes) && validator.isAtBoundary)
            }
            bench.bytes(operation, "UTF8Span", size, bytes: text.count) {
                keep((try? UTF8Span(validating: text.span)) != nil)
            }
            bench.bytes(operation, "String(validating:)", size, bytes: text.count) {
                keep(String(validating: text, as: UTF8.self) != nil)
            }
        }
    }
}

/// `sample` again and again, whole characters up to `size` bytes.
private func bytes(of sample: String, atMost size: Int) -> [UInt8] {
    var bytes: [UInt8] = []
    while true {
        for character in sample.unicodeScalars {
            let encoded = UTF8.encode(character) ?? UTF8.encodedReplacementCharacter
            guard bytes.count + encoded.count <= size else { return bytes }
            bytes += encoded
        }
    }
}
