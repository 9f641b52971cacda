/// What is looked at before a message is given to the JSON decoder, which compares keys by canonical
/// equivalence and so takes quadratic time over long runs of combining marks.
///
/// One pass over the bytes. It does not check that they are JSON, which the decoder does: it only
/// sees every key that the decoder would.
struct JSONKeys {
    /// How long a key may be that has other characters than ASCII, or escaped ones.
    static let foreignBytesMax = 1_024

    /// Why the decoder must not see the message; `nil` where it may.
    static func problem(with json: UnsafeRawBufferPointer) -> String? {
        var index = 0
        // Whether the string that ended last may be a key: only white space came after it.
        var (isString, isForeign) = (false, false)
        while index < json.count {
            let byte = json[index]
            index += 1
            switch byte {
            case UInt8(ascii: "\""):
                isString = true
                isForeign = Self.isForeign(json, &index)
            case UInt8(ascii: ":"):
                if isString, isForeign { return "a key over \(foreignBytesMax) bytes is not ASCII" }
                isString = false
            case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\n"), UInt8(ascii: "\r"):
                break
            case 0:
                // The decoder reads UTF-16 and UTF-32 too, where keys are not found so. Their
                // punctuation has zeros, which JSON in UTF-8 has nowhere.
                return "it is not UTF-8"
            default:
                isString = false
            }
        }
        return nil
    }

    /// Reads a string from behind its opening quotation mark to behind its closing one.
    ///
    /// - Returns: Whether it is too long for a key.
    private static func isForeign(_ json: UnsafeRawBufferPointer, _ index: inout Int) -> Bool {
        let start = index
        var isPlain = true
        while index < json.count {
            let byte = json[index]
            index += 1
            switch byte {
            case UInt8(ascii: "\""):
                return !isPlain && index - 1 - start > foreignBytesMax
            case UInt8(ascii: "\\"):
                isPlain = false
                index += 1
            case 0x80...:
                isPlain = false
            default:
                break
            }
        }
        return false
    }
}
