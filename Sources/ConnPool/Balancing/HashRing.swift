/// The points of endpoints on a circle of 64-bit hashes (Karger et al., "Consistent Hashing and
/// Random Trees", 1997).
///
/// The points of an endpoint depend on its name and on nothing else: who else is on the ring moves
/// none of them.
struct HashRing: Sendable {
    private struct Point {
        let hash: UInt64
        let slot: Int32
    }

    private var points: [Point] = []

    var count: Int { points.count }

    /// Whose point it is, by place.
    func slot(at place: Int) -> Int { Int(points[place].slot) }

    /// The place of the first point at or after a hash, round to the beginning. O(log points).
    ///
    /// - Precondition: The ring is not empty.
    func place(of hash: UInt64) -> Int {
        var (low, high) = (0, points.count)
        while low < high {
            let middle = (low + high) / 2
            if points[middle].hash < hash { low = middle + 1 } else { high = middle }
        }
        return low < points.count ? low : 0
    }

    /// Adds the points of an endpoint. O(points).
    mutating func add(slot: Int, nameHash: UInt64, count: Int) {
        let added = (0..<count).map { index in
            Point(hash: AffinityKey.mixed(nameHash &+ UInt64(index)), slot: Int32(slot))
        }
        .sorted { $0.hash < $1.hash }
        var merged: [Point] = []
        merged.reserveCapacity(points.count + count)
        var next = 0
        for point in added {
            while next < points.count, points[next].hash <= point.hash {
                merged.append(points[next])
                next += 1
            }
            merged.append(point)
        }
        merged.append(contentsOf: points[next...])
        points = merged
    }

    /// Removes the points of an endpoint. O(points).
    mutating func remove(slot: Int) {
        points.removeAll { $0.slot == Int32(slot) }
    }
}
