/// Whether bytes of a string field are UTF-8 (protobuf 3, "Scalar Value Types").
enum UTF8Check {
    /// Names are short ASCII nearly always: those are told at eight bytes a step.
    @inline(__always)
    static func isValid(_ bytes: UnsafeRawBufferPointer, in range: Range<Int>) -> Bool {
        guard let base = bytes.baseAddress else { return true }
        var cursor = range.lowerBound
        while cursor + 8 <= range.upperBound {
            let word = base.loadUnaligned(fromByteOffset: cursor, as: UInt64.self)
            guard word & 0x8080_8080_8080_8080 == 0 else { return isValidSlowly(bytes, range) }
            cursor += 8
        }
        while cursor < range.upperBound {
            guard base.load(fromByteOffset: cursor, as: UInt8.self) < 0x80 else {
                return isValidSlowly(bytes, range)
            }
            cursor += 1
        }
        return true
    }

    @inline(never)
    private static func isValidSlowly(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) -> Bool
    {
        // A valid UTF-8 text is used as it is; one that is not gives nil.
        String(validating: bytes[range], as: UTF8.self) != nil
    }
}
