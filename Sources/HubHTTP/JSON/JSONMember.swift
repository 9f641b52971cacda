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
        let name = Array(name.description.utf8)
        var reader = JSONMember(text: text)
        var found: [UInt8]?
        _ = reader.forEachMember { key, value in
            if text[key].elementsEqual(name) { found = Array(text[value]) }
        }
        return found
    }

    /// The names of the outermost object's members, as they are written; `nil` where it is no object.
    static func names(in text: [UInt8]) -> [[UInt8]]? {
        var reader = JSONMember(text: text)
        var names: [[UInt8]] = []
        return reader.forEachMember { key, _ in names.append(Array(text[key])) } ? names : nil
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

    /// Tells where the outermost object's members have their names and their values.
    ///
    /// - Returns: Whether it is an object, at its beginning at least.
    private mutating func forEachMember(_ body: (Range<Int>, Range<Int>) -> Void) -> Bool {
        skipSpace()
        guard take(UInt8(ascii: "{")) else { return false }
        while index < text.count {
            skipSpace()
            let start = index
            guard index < text.count, text[index] == UInt8(ascii: "\"") else { return true }
            skipString()
            // What ends within the name is no object.
            guard index > start + 1 else { return true }
            let key = (start + 1)..<(index - 1)
            skipSpace()
            guard take(UInt8(ascii: ":")) else { return true }
            skipSpace()
            let value = index
            skipValue()
            body(key, value..<index)
            skipSpace()
            guard take(UInt8(ascii: ",")) else { return true }
        }
        return true
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
