extension String {
    /// Whether both have the same UTF-8 bytes.
    ///
    /// `==` compares by canonical equivalence, which takes quadratic time over long runs of combining
    /// marks. This takes time in proportion to the bytes, whoever chose them.
    func isSameBytes(as other: String) -> Bool {
        utf8.count == other.utf8.count && utf8.elementsEqual(other.utf8)
    }
}
