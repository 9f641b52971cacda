/// The times of round trips.
struct RoundTrips {
    private var trips: [Duration] = []

    mutating func append(_ trip: Duration) { trips.append(trip) }

    /// One line; `nil` while there is none.
    var summary: String? {
        let sorted = trips.sorted()
        guard let first = sorted.first, let last = sorted.last else { return nil }
        let median = Self.text(sorted[(sorted.count - 1) / 2])
        // The nearest rank: the smallest that 99 of 100 do not exceed.
        let p99 = Self.text(sorted[(sorted.count * 99 + 99) / 100 - 1])
        return "\(sorted.count) round trips: min \(Self.text(first)), median \(median), "
            + "p99 \(p99), max \(Self.text(last))"
    }

    static func text(_ duration: Duration) -> String {
        let (seconds, attoseconds) = duration.components
        return "\(seconds * 1_000_000 + attoseconds / 1_000_000_000_000) µs"
    }
}
