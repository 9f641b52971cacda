extension Connection {
    /// What happens when a write would pass ``Limits/sendQueueBytesMax``.
    public enum OverflowPolicy: Hashable, Sendable {
        /// The connection is aborted with ``CloseReason/sendQueueOverflow``.
        ///
        /// A write that alone exceeds the bound is offered to the kernel while nothing is queued; the
        /// connection ends where too much of it is left.
        case close
        /// The write is answered ``WriteOutcome/refused``; one that alone exceeds the bound always is.
        case refuse
    }

    /// Bounds of one connection's memory and time; shared by all connections of a listener.
    public struct Limits: Hashable, Sendable {
        /// The most bytes that wait to be sent. Default 1 MiB.
        public var sendQueueBytesMax = 1 << 20
        /// Default ``OverflowPolicy/close``.
        public var overflow = OverflowPolicy.close
        /// Queued bytes above which the producer is told to stop. Default 64 KiB.
        public var highWatermark = 64 << 10
        /// Queued bytes at which the producer is told to go on. Default 16 KiB.
        public var lowWatermark = 16 << 10
        /// Bytes that wait for the task of an ``AsyncConnection`` at which receiving pauses. One
        /// receive more than that may wait. Default 64 KiB.
        public var inboundBytesMax = 64 << 10
        /// How long ``Connection/close()`` may take to send what is queued and to see the peer's
        /// end-of-file before the connection is aborted. Default 5 s.
        public var closeTimeout = Duration.seconds(5)
        /// How long a new connection may take to send its first byte before it is aborted with
        /// ``CloseReason/firstByteTimedOut``. `nil`, the default of this and the following: for
        /// ever. None may be longer than 20 days; all are kept to the millisecond, and stand still
        /// while reading is paused, but for the last.
        public var firstByteTimeout: Duration?
        /// How long ``Connection/inputIsIncomplete`` may last, however many bytes arrive meanwhile,
        /// before the connection is aborted with ``CloseReason/inputTimedOut``.
        public var inputTimeout: Duration?
        /// How long nothing may be received or sent before the connection is aborted with
        /// ``CloseReason/idleTimedOut``; does not run while one of the two before does.
        public var idleTimeout: Duration?
        /// How long bytes may wait of which the kernel takes none before the connection is aborted
        /// with ``CloseReason/writeStalled``.
        public var writeStallTimeout: Duration?

        public init() {}
    }
}
