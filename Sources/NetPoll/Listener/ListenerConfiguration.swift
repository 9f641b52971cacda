extension Listener {
    /// What a listener does when descriptors or memory are exhausted (EMFILE, ENFILE, ENOBUFS,
    /// ENOMEM; accept(2)). Either way it neither spins nor stops for good.
    public enum ExhaustionPolicy: Hashable, Sendable {
        /// A reserve descriptor is given up to take waiting connections and close them at once, so
        /// that their clients learn of it and may try elsewhere. Where that fails too, the listener
        /// pauses for 50 to 100 ms.
        case shed
        /// The listener pauses for this long, and up to as long again at random; connections wait
        /// in the backlog meanwhile.
        case pause(Duration)
    }

    /// Settings of a listener and of the connections it accepts.
    public struct Configuration: Hashable, Sendable {
        /// Connections that may wait to be accepted (listen(2)); the kernel's `somaxconn` bounds it.
        /// Default 4,096.
        public var backlog = 4_096
        /// Default ``ExhaustionPolicy/shed``.
        public var exhaustion = ExhaustionPolicy.shed
        /// The most connections accepted a second, counted by listening socket; the others wait in
        /// the backlog. A group with a socket for each loop (``ListenerGroup/Balancing/kernel``)
        /// accepts as many times this rate as it has loops. `nil`, the default: no limit.
        public var acceptsPerSecondMax: Int?
        /// How many may be accepted at once after a quiet time, where
        /// ``acceptsPerSecondMax`` is set; also by listening socket. Default 64.
        public var acceptBurstMax = 64
        /// Which loop of a group gets a connection; a single loop's listener takes all. Default
        /// ``ListenerGroup/Balancing/kernel``.
        public var balancing = ListenerGroup.Balancing.kernel
        /// Whether closing the listener removes a Unix socket's file. `nil`, the default: yes where the
        /// listener made it, no where it adopted the socket, whose file is a service manager's or a
        /// predecessor's. No where a successor goes on listening on it. A file that another has put in its
        /// place stays. One that nobody listens on any more, left behind by a crash, is replaced in any
        /// case.
        public var removesSocketFile: Bool?
        /// Options of each accepted socket.
        public var options = SocketOptions()
        /// Bounds of each accepted connection.
        public var limits = Connection.Limits()

        public init() {}
    }
}
