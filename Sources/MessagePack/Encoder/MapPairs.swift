/// Where the pairs of a map begin in what was encoded of it, so that a key that comes again is found.
///
/// The first ones are compared one by one, which allocates nothing; those that follow are hashed.
struct MapPairs {
    private static let firstMax = 16

    private var first = InlineArray<16, UInt32>(repeating: 0)
    private var firstCount = 0
    private var others: [ExactText: Int] = [:]

    /// Notes the pair that begins at `start` of `body`, which ends with its key.
    ///
    /// - Returns: The earlier pair of that key, where there is one. The caller takes it out of the
    ///   body; the places noted are those after that.
    ///
    /// Complexity: O(bytes of the key); O(pairs) where it comes again.
    mutating func begin(_ key: String, at start: Int, in body: [UInt8]) -> Range<Int>? {
        if let place = firstPlace(at: start, in: body) {
            let earlier = remove(Int(first[place]), before: start)
            first[place] = UInt32(start - earlier.count)
            return earlier
        }
        if firstCount < Self.firstMax, let start = UInt32(exactly: start) {
            first[firstCount] = start
            firstCount += 1
            return nil
        }
        let name = ExactText(key)
        let earlier = others[name].map { remove($0, before: start) }
        others[name] = start - (earlier?.count ?? 0)
        return earlier
    }

    /// Which of the first pairs has the key that `body` has from `start` on.
    private func firstPlace(at start: Int, in body: [UInt8]) -> Int? {
        // A key's length stands before it, so none begins with another one.
        let count = body.count - start
        for place in 0..<firstCount {
            let offset = Int(first[place])
            if offset + count <= start, body[offset] == body[start],
                body[offset..<offset + count].elementsEqual(body[start...])
            {
                return place
            }
        }
        return nil
    }

    /// Moves what follows the pair at `offset` to where it is without that.
    private mutating func remove(_ offset: Int, before start: Int) -> Range<Int> {
        var end = start
        for place in 0..<firstCount where first[place] > offset {
            end = min(end, Int(first[place]))
        }
        for other in others.values where other > offset { end = min(end, other) }
        let count = end - offset
        for place in 0..<firstCount where first[place] > offset { first[place] -= UInt32(count) }
        others = others.mapValues { $0 > offset ? $0 - count : $0 }
        return offset..<end
    }
}
