/// What is looked at before a message is given to the JSON decoder, which compares keys by canonical
/// equivalence and so takes quadratic time over long runs of combining marks.
///
/// One pass over the bytes. It does not check that they are JSON, which the decoder does: it only
/// sees every key that the decoder would, which takes what has zeros or a byte order mark for another
/// encoding than UTF-8.
struct JSONShape {
    static let keyBytesMax = 64
    static let keysMax = 256
    static let depthMax = 16

    /// Why the decoder must not see the message; `nil` where it may.
    static func problem(with json: RawSpan) -> String? {
        json.withUnsafeBytes { bytes in
            if let first = bytes.first, first >= 0xEF { return "no JSON" }
            var shape = JSONShape()
            var index = 0
            while index < bytes.count {
                if let problem = shape.read(bytes, &index) { return problem }
            }
            return nil
        }
    }

    private var keys = 0
    private var depth = 0
    /// The length of the string that ended last, where nothing but white space came after it.
    private var lastString: (bytes: Int, isASCII: Bool)?

    private mutating func read(_ bytes: UnsafeRawBufferPointer, _ index: inout Int) -> String? {
        let byte = bytes[index]
        index += 1
        switch byte {
        case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\n"), UInt8(ascii: "\r"):
            return nil
        case UInt8(ascii: "\""):
            lastString = Self.string(bytes, &index)
            return nil
        case UInt8(ascii: ":"):
            return key()
        case UInt8(ascii: "{"), UInt8(ascii: "["):
            depth += 1
            if depth > Self.depthMax { return "nested more than \(Self.depthMax) deep" }
        case UInt8(ascii: "}"), UInt8(ascii: "]"):
            depth -= 1
        case 0:
            return "not in UTF-8"
        default:
            break
        }
        lastString = nil
        return nil
    }

    private mutating func key() -> String? {
        guard let key = lastString else { return nil }
        lastString = nil
        keys += 1
        if keys > Self.keysMax { return "more than \(Self.keysMax) fields" }
        if key.bytes > Self.keyBytesMax || !key.isASCII {
            return "a field's name is not ASCII or has more than \(Self.keyBytesMax) bytes"
        }
        return nil
    }

    /// Reads a string from behind its opening quotation mark to behind its closing one.
    private static func string(
        _ bytes: UnsafeRawBufferPointer, _ index: inout Int
    ) -> (bytes: Int, isASCII: Bool) {
        let start = index
        var isASCII = true
        while index < bytes.count {
            let byte = bytes[index]
            if byte == UInt8(ascii: "\"") {
                index += 1
                return (index - 1 - start, isASCII)
            }
            if byte >= 0x80 { isASCII = false }
            index += byte == UInt8(ascii: "\\") ? 2 : 1
        }
        return (bytes.count - start, isASCII)
    }
}
