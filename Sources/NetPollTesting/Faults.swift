/// What goes wrong in a simulated network, and how often; drawn from the network's seed.
///
/// Probabilities are per operation, from 0 (never, the default) to 1 (always).
public struct Faults: Hashable, Sendable {
    /// A receive brings only a part of what has arrived.
    public var shortReads = 0.0
    /// A send takes only a part of what has room.
    public var shortWrites = 0.0
    /// A send takes nothing although there is room (EAGAIN); of a batch of datagrams, it is drawn for
    /// each, and those behind it wait too.
    public var refusedSends = 0.0
    /// A send breaks the connection (ECONNRESET).
    public var resets = 0.0
    /// An accept fails although there are descriptors (ENOBUFS).
    public var failedAccepts = 0.0
    /// An accept, or a connect, fails as if there were no descriptors (EMFILE); see
    /// ``SimulatedNetwork/descriptorsMax`` for a limit that is real.
    public var exhaustedDescriptors = 0.0
    /// A send loses its connection: from then on nothing arrives at either end, and neither is told.
    public var lostConnections = 0.0
    /// A send finds its two hosts cut off from each other, for a while of up to ``partitionMax``;
    /// what is on its way arrives after it. Hosts differ by their address.
    public var partitions = 0.0
    /// The longest partition that ``partitions`` makes. Default 5 s.
    public var partitionMax = Duration.seconds(5)
    /// The clock, when it moves, leaps by up to ``clockJumpMax`` more, as when the process was
    /// stopped meanwhile: everything that was due comes late, and at once.
    public var clockJumps = 0.0
    /// The longest leap that ``clockJumps`` makes. Default 5 s.
    public var clockJumpMax = Duration.seconds(5)
    /// A datagram is lost on its way.
    public var lostDatagrams = 0.0
    /// Ready sockets and loops are served in a shuffled order.
    public var reordersReadiness = false
    /// The shortest time bytes travel, one way. Default: none.
    public var delayMin = Duration.zero
    /// The longest time bytes travel; each run of bytes draws its own, order within a connection is
    /// kept. Default: none, or ``delayMin`` where that is more.
    public var delayMax = Duration.zero
    /// How many bytes each direction of a connection carries in a second; `nil`, the default: any
    /// number.
    public var bytesPerSecond: Int?

    public init() {}

    /// What every connection survives: short and refused sends, short reads, another order of readiness
    /// and a delay of up to 20 ms, at rates that make short runs meet all of it. Nothing is lost, fails
    /// or is cut off.
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
