/// A running estimate of a duration and its deviation, as TCP keeps for round trips (RFC 6298 §2).
struct Estimate: Sendable {
    /// Samples below which nothing is predicted.
    static var samplesMin: Int { 8 }

    private var mean = 0.0
    private var deviation = 0.0
    private(set) var samples = 0

    mutating func add(nanoseconds: Int64) {
        let sample = Double(max(0, nanoseconds))
        if samples == 0 {
            mean = sample
            deviation = sample / 2
        } else {
            deviation += (abs(sample - mean) - deviation) / 4
            mean += (sample - mean) / 8
        }
        if samples < .max { samples += 1 }
    }

    /// What hardly any will stay below; zero while little is known.
    var lowerBoundNanoseconds: Int64 {
        guard samples >= Self.samplesMin else { return 0 }
        return Int64(max(0, mean - 2 * deviation))
    }
}
