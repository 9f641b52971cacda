/// A UDP or Unix datagram socket of one loop.
///
/// Datagrams of a turn are gathered and sent in batches when the turn ends (sendmmsg(2)); what the
/// kernel does not take waits in a bounded queue, and behind it what is for other receivers. That a
/// full Unix receiver has room again is told to its peer alone: a Unix socket without
/// ``Configuration/peer`` asks again after 1 ms, and after up to 64 ms while nothing is taken.
///
/// Not `Sendable`: used on ``loop`` only.
public final class DatagramSocket {
    /// Settings of a datagram socket.
    public struct Configuration: Hashable, Sendable {
        /// The only peer; datagrams of others are not received, and errors are reported
        /// (connect(2)). `nil`, the default: any.
        public var peer: SocketAddress?
        /// The longest datagram received whole; what is longer is cut. Default 2,048, at most
        /// 65,536.
        public var datagramBytesMax = 2_048
        /// The most datagrams, and bytes of them, that wait to be sent. Default 1,024 and 1 MiB.
        public var queuedDatagramsMax = 1_024
        public var queuedBytesMax = 1 << 20
        /// Whether several sockets share the port (SO_REUSEPORT, socket(7)). Default no.
        public var sharesPort = false
        /// Whether ``DatagramArrival/destination`` is reported (IP_PKTINFO, ip(7)). Default no.
        public var packetInfo = false

        public init() {}
    }

    public let loop: EventLoop

    /// The address it is bound to, with the port the kernel chose where 0 was asked for.
    public let address: SocketAddress

    /// The settings it was opened with.
    public let configuration: Configuration

    /// Receives the events; may be replaced.
    public var handler: any DatagramHandler

    let socket: SocketHandle
    private let token: Token
    private var queue = DatagramQueue()
    private var isFlushPlanned = false
    private var isBlocked = false
    private var owesDrained = false
    private var retry: TimerID?
    private var retryDelay = DatagramSocket.retryDelayMin
    private var isClosing = false
    private var isClosed = false
    private lazy var flusher = Flusher(self)

    private static var retryDelayMin: Duration { .milliseconds(1) }
    private static var retryDelayMax: Duration { .milliseconds(64) }

    init(
        loop: EventLoop, token: Token, socket: SocketHandle, address: SocketAddress,
        configuration: Configuration, handler: any DatagramHandler
    ) {
        self.loop = loop
        self.token = token
        self.socket = socket
        self.address = address
        self.configuration = configuration
        self.handler = handler
    }

    /// Datagrams that the kernel has not taken.
    public var queuedDatagrams: Int { queue.count }

    /// Queues a copy of `bytes` for ``Configuration/peer``, to be sent when the turn ends.
    @discardableResult
    public func send(_ bytes: RawSpan) -> WriteOutcome {
        precondition(configuration.peer != nil, "send without an address, and without a peer")
        return enqueue(bytes, nil)
    }

    /// Queues a copy of `bytes` for `destination`, to be sent when the turn ends. A destination that is
    /// no address, such as too long a path, is told by ``DatagramHandler/failed(_:on:)``.
    ///
    /// - Returns: ``WriteOutcome/refused`` where the queue is full; the datagram is dropped, and
    ///   ``DatagramHandler/drained(_:)`` follows, unless it alone is longer than
    ///   ``Configuration/queuedBytesMax``.
    @discardableResult
    public func send(_ bytes: RawSpan, to destination: SocketAddress) -> WriteOutcome {
        precondition(configuration.peer == nil, "send to \(destination) beside the peer")
        return enqueue(bytes, destination)
    }

    private func enqueue(_ bytes: RawSpan, _ destination: SocketAddress?) -> WriteOutcome {
        loop.checkCurrent()
        guard !isClosing else { return .closed }
        guard queue.count < configuration.queuedDatagramsMax,
            queue.bytes + bytes.byteCount <= configuration.queuedBytesMax
        else {
            // Who sends again what never fits is not called for that in a circle.
            if bytes.byteCount <= configuration.queuedBytesMax { owesDrained = true }
            return .refused
        }
        queue.append(bytes, destination)
        if !isBlocked, !isFlushPlanned {
            isFlushPlanned = true
            loop.runAtEndOfTurn(flusher)
        }
        return .accepted
    }

    /// Joins a multicast group on an interface, 0 for the kernel's choice (ip(7), ipv6(7)).
    ///
    /// - Throws: ``SystemError``, for example where the group is no multicast address.
    public func join(
        _ group: SocketAddress, interfaceIndex: UInt32 = 0
    ) throws(SystemError) {
        try setMembership(group, interfaceIndex, joins: true)
    }

    /// Leaves a multicast group.
    ///
    /// - Throws: ``SystemError`` where the group was not joined.
    public func leave(
        _ group: SocketAddress, interfaceIndex: UInt32 = 0
    ) throws(SystemError) {
        try setMembership(group, interfaceIndex, joins: false)
    }

    private func setMembership(
        _ group: SocketAddress, _ index: UInt32, joins: Bool
    ) throws(SystemError) {
        loop.checkCurrent()
        precondition(!isClosed, "a group of a socket that is closed")
        try loop.driver.setMembership(socket, of: group, interfaceIndex: index, joins: joins)
    }

    /// Stops receiving; the kernel keeps what fits its buffer and drops the rest.
    public func pauseReading() { setReceiving(false) }

    /// Receives again.
    public func resumeReading() { setReceiving(true) }

    private func setReceiving(_ receiving: Bool) {
        guard !isClosed else { return }
        loop.driver.setReceiving(receiving, socket, token: token)
    }

    /// Sends what is queued as far as the kernel takes it, and closes. No event follows.
    public func close() {
        // A handler may close again when it is told, by this flush, what could not be sent.
        guard !isClosing else { return }
        isClosing = true
        if !isBlocked { flush() }
        isClosed = true
        if let retry { loop.cancel(retry) }
        retry = nil
        loop.driver.close(socket, reset: false)
        loop.slots.remove(token)
    }

    // MARK: - For the loop

    func sendable() {
        isBlocked = false
        flush()
    }

    func flush() {
        isFlushPlanned = false
        // What a handler sends when it is told of a failure waits for the next flush: that may fail, too.
        var left = queue.count
        // What the first one that waits failed with already.
        var tried: Int32?
        while !isClosed, !isBlocked, left > 0 {
            let (offered, outcome) = queue.withBatch { batch in
                loop.counters.sends += 1
                return (batch.count, loop.driver.sendDatagrams(socket, batch, token: token))
            }
            switch outcome {
            case .sent(let count):
                tried = nil
                queue.removeFirst(count)
                left -= count
                if roomIsTold { isBlocked = count < offered } else { tookUntold(count) }
            case .failed(let errno):
                // With a peer it may be an earlier one's, which ICMP told: then this one was not tried.
                let mayBeEarlier = configuration.peer != nil && tried == nil
                let isTold = tried == errno
                tried = mayBeEarlier ? errno : nil
                if !mayBeEarlier {
                    // The first datagram is what failed; the next ones may do.
                    queue.removeFirst(1)
                    left -= 1
                }
                if !isTold {
                    handler.failed(SystemError(code: errno, operation: "send"), on: self)
                }
            }
        }
        if owesDrained, queue.count == 0, !isClosed {
            owesDrained = false
            handler.drained(self)
        }
    }

    /// Whether the driver tells when more is taken.
    private var roomIsTold: Bool { configuration.peer != nil || address.port != nil }

    /// Asks again later once nothing is taken: before, the next datagram may be for another
    /// receiver, or an error may have cut the batch short.
    private func tookUntold(_ count: Int) {
        guard count == 0 else {
            retryDelay = Self.retryDelayMin
            return
        }
        isBlocked = true
        // Nothing waits for the retry of a socket that sends its last.
        guard !isClosing else { return }
        retry = loop.schedule(after: retryDelay, flusher)
        retryDelay = min(retryDelay * 2, Self.retryDelayMax)
    }

    private func retryNow() {
        retry = nil
        sendable()
    }

    private final class Flusher: TurnTarget, TimerTarget {
        private weak var socket: DatagramSocket?

        init(_ socket: DatagramSocket) { self.socket = socket }

        func turnEnded(on loop: EventLoop) { socket?.flush() }

        func timerFired(_ id: TimerID, on loop: EventLoop) { socket?.retryNow() }
    }
}
