internal import NetPoll

/// The times of a ``PoolConfiguration`` in nanoseconds, which is what the core counts with; one that
/// is not set is longer than any clock runs.
struct CoreTimes: Sendable {
    let idleTimeout: Int64
    let lifetimeMax: Int64
    let replacementLead: Int64
    let keepAliveInterval: Int64
    let keepAliveTimeout: Int64
    let closeTimeout: Int64
    let dialStagger: Int64
    let dialTimeout: Int64

    static var unset: Int64 { .max }

    init(_ configuration: PoolConfiguration) {
        idleTimeout = configuration.idleTimeout?.inNanoseconds ?? Self.unset
        lifetimeMax = configuration.lifetimeMax?.inNanoseconds ?? Self.unset
        replacementLead = configuration.replacementLead.inNanoseconds
        keepAliveInterval = configuration.keepAliveInterval?.inNanoseconds ?? Self.unset
        keepAliveTimeout = configuration.keepAliveTimeout.inNanoseconds
        closeTimeout = configuration.closeTimeout.inNanoseconds
        dialStagger = configuration.dialStagger.inNanoseconds
        dialTimeout = configuration.dialTimeout.inNanoseconds
    }
}

extension Instant {
    /// Saturates at ``never``.
    func after(_ nanoseconds: Int64) -> Instant {
        let (sum, overflow) = self.nanoseconds.addingReportingOverflow(nanoseconds)
        return overflow ? .never : Instant(nanoseconds: sum)
    }
}
