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

        public init() {}
    }
}
