/// How long things took in a pool since it was made.
public struct PoolDurations: Hashable, Sendable {
    /// From a request to its lease; nothing, for those served at once.
    public internal(set) var waits = DurationHistogram()
    /// From a lease to its return.
    public internal(set) var holds = DurationHistogram()
    /// From the beginning of a dial to its connection.
    public internal(set) var dials = DurationHistogram()
}

extension PoolState {
    var durations: PoolDurations {
        var durations = PoolDurations()
        durations.waits = waitTimes
        // Not counted one by one: they are the many, and all the same.
        durations.waits.add(nanoseconds: 0, times: core.counters.leasedAtOnce)
        durations.holds = holdTimes
        durations.dials = dialTimes
        return durations
    }
}
