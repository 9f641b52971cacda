/// What goes wrong in a simulated network, and how often; drawn from the network's seed.
///
/// Probabilities are per operation, from 0 (never, the default) to 1 (always).
public struct Faults: Hashable, Sendable {
    /// A receive brings only a part of what has arrived.
    public var shortReads = 0.0
    /// A send takes only a part of what has room.
    public var shortWrites = 0.0
    /// A send takes nothing although there is room (EAGAIN).
    public var refusedSends = 0.0
    /// A send breaks the connection (ECONNRESET).
    public var resets = 0.0
    /// An accept fails although there are descriptors (ENOBUFS).
    public var failedAccepts = 0.0
    /// A datagram is lost on its way.
    public var lostDatagrams = 0.0
    /// Ready sockets and loops are served in a shuffled order.
    public var reordersReadiness = false
    /// The longest time bytes travel; each run of bytes draws its own, order within a connection is
    /// kept. Default: none.
    public var delayMax = Duration.zero

    public init() {}

    /// Everything but resets and failed accepts, at rates that make short runs meet all of it.
    public static var cuts: Faults {
        var faults = Faults()
        faults.shortReads = 0.5
        faults.shortWrites = 0.5
        faults.refusedSends = 0.2
        faults.reordersReadiness = true
        faults.delayMax = .milliseconds(20)
        return faults
    }
}
