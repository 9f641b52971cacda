/// Options of a TCP socket; they mean nothing to a Unix socket.
public struct SocketOptions: Hashable, Sendable {
    /// Whether small segments leave at once (TCP_NODELAY, tcp(7)). Default: yes, because a turn's
    /// writes are gathered already.
    public var noDelay = true
    /// Probes that find a peer which vanished while the connection is idle (SO_KEEPALIVE, tcp(7));
    /// `nil`, the default, sends none.
    public var keepAlive: KeepAlive?

    public init() {}

    /// When a silent peer is probed, and when it is given up.
    ///
    /// A connection whose peer answers none of the probes ends with ``CloseReason/failed(_:)``
    /// (ETIMEDOUT). The kernel counts in whole seconds; shorter times are rounded up to one.
    public struct KeepAlive: Hashable, Sendable {
        /// Silence before the first probe (TCP_KEEPIDLE). Default 60 s.
        public var idle: Duration
        /// Time between probes (TCP_KEEPINTVL). Default 10 s.
        public var interval: Duration
        /// Unanswered probes after which the peer is given up (TCP_KEEPCNT). Default 6.
        public var probesMax: Int

        public init(
            idle: Duration = .seconds(60), interval: Duration = .seconds(10), probesMax: Int = 6
        ) {
            self.idle = idle
            self.interval = interval
            self.probesMax = probesMax
        }
    }
}
