/// A name that is what its UTF-8 bytes are.
///
/// `String` compares and hashes by canonical equivalence: two spellings of "é" are equal, and long
/// runs of combining marks take quadratic time. Names come from clients; here two are equal only if
/// they are the same bytes, and comparing takes time in proportion to them.
package struct ExactName: Hashable, Comparable, Sendable {
    package let string: String

    package init(_ string: String) {
        var string = string
        string.makeContiguousUTF8()
        self.string = string
    }

    package static func == (left: ExactName, right: ExactName) -> Bool {
        left.string.isSameBytes(as: right.string)
    }

    package static func < (left: ExactName, right: ExactName) -> Bool {
        left.string.utf8.lexicographicallyPrecedes(right.string.utf8)
    }

    package func hash(into hasher: inout Hasher) {
        for byte in string.utf8 { hasher.combine(byte) }
        hasher.combine(0xff as UInt8)
    }
}

extension String {
    /// Whether both have the same UTF-8 bytes.
    package func isSameBytes(as other: String) -> Bool {
        utf8.count == other.utf8.count && utf8.elementsEqual(other.utf8)
    }
}
