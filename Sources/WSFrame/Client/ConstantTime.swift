/// Compares secrets in a time that says nothing about where they differ.
///
/// Their lengths are no secret.
public enum ConstantTime {
    /// Whether both hold the same bytes; all of them are read, wherever they differ first.
    ///
    /// Complexity: O(bytes).
    public static func areEqual(
        _ left: some Collection<UInt8>, _ right: some Collection<UInt8>
    ) -> Bool {
        guard left.count == right.count else { return false }
        var difference: UInt8 = 0
        for (one, other) in zip(left, right) { difference |= one ^ other }
        return difference == 0
    }

    /// The index of the first of `secrets` that is `candidate`; all of them are compared, whichever it
    /// is.
    ///
    /// Complexity: O(bytes of all secrets).
    public static func firstIndex(
        of candidate: some Collection<UInt8>, in secrets: [[UInt8]]
    ) -> Int? {
        var found: Int?
        for (index, secret) in secrets.enumerated().reversed()
        where areEqual(candidate, secret) {
            found = index
        }
        return found
    }
}
