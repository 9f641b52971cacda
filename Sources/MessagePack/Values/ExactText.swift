/// Text that is what its UTF-8 bytes are.
///
/// `String` compares and hashes by canonical equivalence, which takes quadratic time over long runs
/// of combining marks. This takes time in proportion to the bytes, whoever chose them.
package struct ExactText: Hashable, Sendable {
    package let string: String

    package init(_ string: String) {
        var string = string
        string.makeContiguousUTF8()
        self.string = string
    }

    package static func == (left: ExactText, right: ExactText) -> Bool {
        let (left, right) = (left.string.utf8, right.string.utf8)
        return left.count == right.count && left.elementsEqual(right)
    }

    package func hash(into hasher: inout Hasher) {
        var string = string
        // The pointer is used within the closure only.
        string.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
        // No byte of UTF-8, so that what is hashed next cannot be taken for text.
        hasher.combine(0xff as UInt8)
    }
}
