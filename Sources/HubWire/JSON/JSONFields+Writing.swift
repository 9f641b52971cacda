extension JSONFields {
    /// Writes an envelope; its bytes are UTF-8.
    package static func write(_ set: FieldSet) -> [UInt8] {
        var text: [UInt8] = []
        append(set, to: &text)
        return text
    }

    private static func append(_ set: FieldSet, to text: inout [UInt8]) {
        text.append(UInt8(ascii: "{"))
        for (place, field) in set.fields.enumerated() {
            if place > 0 { text.append(UInt8(ascii: ",")) }
            text.append(UInt8(ascii: "\""))
            text += field.key.name.utf8
            text.append(UInt8(ascii: "\""))
            text.append(UInt8(ascii: ":"))
            append(field.value, to: &text)
        }
        text.append(UInt8(ascii: "}"))
    }

    private static func append(_ value: FieldValue, to text: inout [UInt8]) {
        switch value {
        case .kind(let kind): append(kind.name, to: &text)
        case .flag(let flag): text += flag ? "true".utf8 : "false".utf8
        case .count(let count): text += String(count).utf8
        case .number(let number): text += String(number).utf8
        case .mark(let mark): append(mark, to: &text)
        case .text(let string): append(string, to: &text)
        case .bytes(let bytes):
            text.append(UInt8(ascii: "\""))
            Base64Text.append(bytes, to: &text)
            text.append(UInt8(ascii: "\""))
        case .json(let json): text += json
        case .marks(let marks): append(marks, to: &text) { append($0, to: &$1) }
        case .texts(let texts): append(texts, to: &text) { append($0, to: &$1) }
        case .fieldSets(let sets): append(sets, to: &text) { append($0, to: &$1) }
        }
    }

    private static func append<Element>(
        _ list: [Element], to text: inout [UInt8], _ body: (Element, inout [UInt8]) -> Void
    ) {
        text.append(UInt8(ascii: "["))
        for (place, element) in list.enumerated() {
            if place > 0 { text.append(UInt8(ascii: ",")) }
            body(element, &text)
        }
        text.append(UInt8(ascii: "]"))
    }

    private static func append(_ mark: UInt64, to text: inout [UInt8]) {
        text.append(UInt8(ascii: "\""))
        text += String(mark, radix: 36).utf8
        text.append(UInt8(ascii: "\""))
    }

    private static let hexadecimal = Array("0123456789abcdef".utf8)

    /// Escapes what has to be (RFC 8259 §7) and nothing else.
    private static func append(_ string: String, to text: inout [UInt8]) {
        text.append(UInt8(ascii: "\""))
        for byte in string.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                text.append(UInt8(ascii: "\\"))
                text.append(byte)
            case 0x0a: text += #"\n"#.utf8
            case 0x0d: text += #"\r"#.utf8
            case 0x09: text += #"\t"#.utf8
            case 0..<0x20:
                text += #"\u00"#.utf8
                text.append(hexadecimal[Int(byte >> 4)])
                text.append(hexadecimal[Int(byte & 15)])
            default: text.append(byte)
            }
        }
        text.append(UInt8(ascii: "\""))
    }
}
