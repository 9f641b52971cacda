/// Finds a member's value in the text of a JSON object, to be passed on as it is.
///
/// Finds its way in what is JSON, and ends with whatever else. One pass over the bytes.
package struct JSONMember {
    private let text: [UInt8]
    private var index = 0

    /// The text of the last member of that name of the outermost object; `nil` where it has none.
    ///
    /// The name is looked for as it is written, without escapes.
    package static func value(of name: StaticString, in text: [UInt8]) -> [UInt8]? {
        var reader = JSONMember(text: text)
        return reader.find(Array(name.description.utf8))
    }

    /// The texts of an array's elements.
    package static func elements(of text: [UInt8]) -> [[UInt8]] {
        var reader = JSONMember(text: text)
        var elements: [[UInt8]] = []
        reader.skipSpace()
        guard reader.take(UInt8(ascii: "[")) else { return [] }
        while reader.index < text.count {
            reader.skipSpace()
            let start = reader.index
            reader.skipValue()
            guard reader.index > start else { return elements }
            elements.append(Array(text[start..<reader.index]))
            reader.skipSpace()
            guard reader.take(UInt8(ascii: ",")) else { return elements }
        }
        return elements
    }

    private init(text: [UInt8]) {
        self.text = text
    }

    private mutating func find(_ name: [UInt8]) -> [UInt8]? {
        var found: [UInt8]?
        skipSpace()
        guard take(UInt8(ascii: "{")) else { return nil }
        while index < text.count {
            skipSpace()
            let start = index
            guard index < text.count, text[index] == UInt8(ascii: "\"") else { return found }
            skipString()
            // What ends within the name is no object.
            guard index > start + 1 else { return found }
            let key = text[(start + 1)..<(index - 1)]
            skipSpace()
            guard take(UInt8(ascii: ":")) else { return found }
            skipSpace()
            let value = index
            skipValue()
            if key.elementsEqual(name) { found = Array(text[value..<index]) }
            skipSpace()
            guard take(UInt8(ascii: ",")) else { return found }
        }
        return found
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard index < text.count, text[index] == byte else { return false }
        index += 1
        return true
    }

    private mutating func skipSpace() {
        while index < text.count, [0x20, 0x09, 0x0a, 0x0d].contains(text[index]) { index += 1 }
    }

    private mutating func skipString() {
        index += 1
        while index < text.count, text[index] != UInt8(ascii: "\"") {
            index += text[index] == UInt8(ascii: "\\") ? 2 : 1
        }
        index = min(index + 1, text.count)
    }

    /// Skips a value: a string, what stands between brackets, or what goes on to the next separator.
    private mutating func skipValue() {
        var depth = 0
        while index < text.count {
            switch text[index] {
            case UInt8(ascii: "\""):
                skipString()
                if depth == 0 { return }
                continue
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                depth += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                if depth == 0 { return }
                depth -= 1
                if depth == 0 {
                    index += 1
                    return
                }
            case UInt8(ascii: ","), 0x20, 0x09, 0x0a, 0x0d:
                if depth == 0 { return }
            default:
                break
            }
            index += 1
        }
    }
}
