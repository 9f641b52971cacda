/// One connected socket of one loop.
///
///     open ──close()──▶ closing ──flushed, peer's end seen──▶ closed
///       │                  │                                    ▲
///       └───── abort(), reset, overflow, closeTimeout ──────────┘
///
/// Writes of a turn are gathered and sent with one system call when the turn ends, or several where
/// many tasks run in it. What the kernel does not take waits in a queue bounded by
/// ``Limits/sendQueueBytesMax``. An idle connection owns no buffer.
///
/// Not `Sendable`: everything here is called on ``loop``. Other threads keep the ``id`` and reach
/// it through ``EventLoop/execute(_:)``.
public final class Connection {
    enum State: UInt8 {
        case open
        /// close() was called: nothing more is accepted or delivered.
        case closing
        /// Ended; `closed` is told before the turn is over.
        case closed
    }

    struct Flags: OptionSet {
        let rawValue: UInt16
        static let readEnded = Flags(rawValue: 1 << 0)
        static let writeEndWanted = Flags(rawValue: 1 << 1)
        static let writeEnded = Flags(rawValue: 1 << 2)
        static let readingPaused = Flags(rawValue: 1 << 3)
        static let aboveHigh = Flags(rawValue: 1 << 4)
        /// Its handler will be told of the high watermark when the turn ends.
        static let risenPending = Flags(rawValue: 1 << 14)
        /// Its handler was told of the high watermark, and not of the low one since.
        static let highTold = Flags(rawValue: 1 << 15)
        static let peerEndedFirst = Flags(rawValue: 1 << 6)
        static let awaitsFirstByte = Flags(rawValue: 1 << 7)
        static let inputIsIncomplete = Flags(rawValue: 1 << 8)
        static let awaitsInput = Flags(rawValue: 1 << 9)
        /// The last instant of activity stands still while one of these is awaited.
        static let holdsInstant: Flags = [.awaitsFirstByte, .awaitsInput]
        /// Either of these: the driver was told to receive nothing.
        static let notReceiving = Flags(rawValue: 1 << 0 | 1 << 3)
        /// Either of these: nothing more may be written. A constant, because a literal of several
        /// options allocates where the optimiser does not see through it.
        static let writeEnding = Flags(rawValue: 1 << 1 | 1 << 2)
    }

    /// What most connections never need: the queue of a slow peer, the deadline of a close.
    final class Cold: TimerTarget {
        unowned let connection: Connection
        var queue = SendQueue()
        var closeTimer: TimerID?
        /// When the kernel last took bytes, or the queue came to be; `nil` while it is empty.
        var stalledSince: UInt32?

        init(_ connection: Connection) {
            self.connection = connection
        }

        func timerFired(_ id: TimerID, on loop: EventLoop) {
            closeTimer = nil
            loop.terminate(connection, .closeTimedOut)
        }
    }

    /// The loop that owns this connection.
    public var loop: EventLoop { settings.loop }

    // The fields marked `@exclusivity(unchecked)` are used for every event, on the loop's thread only, by accesses
    // that end before anything is called.

    /// Receives the events. May be replaced, for example when HTTP becomes WebSocket.
    @exclusivity(unchecked) public var handler: any ConnectionHandler

    // An idle connection is this object and 12 bytes of its slot. In this order it takes 71 bytes,
    // and malloc 80 for them.
    let token: Token
    let settings: ConnectionSettings
    @exclusivity(unchecked) var cold: Cold?
    let socket: SocketHandle
    /// When it was last heard of or sent something, on the loop's clock of milliseconds; while reading is
    /// paused, how long before the pause that was.
    @exclusivity(unchecked) var lastActivity: UInt32
    /// Where the loop keeps what this turn gathered for it; ``GatherBuffer/none`` while it has
    /// nothing to flush.
    var gathered = GatherBuffer.none
    @exclusivity(unchecked) var flags: Flags = []
    @exclusivity(unchecked) var state = State.open

    init(
        token: Token, socket: SocketHandle, settings: ConnectionSettings,
        handler: any ConnectionHandler
    ) {
        self.token = token
        self.socket = socket
        self.settings = settings
        self.handler = handler
        lastActivity = settings.loop.nowMilliseconds
    }

    /// Names this connection for ever.
    public var id: ConnectionID {
        ConnectionID(
            loopIndex: Int32(loop.index), slot: UInt32(token.slot), generation: token.generation)
    }

    /// Bytes written here that the kernel has not taken.
    public var queuedBytes: Int { loop.gatheredBytes(self) + (cold?.queue.bytes ?? 0) }

    /// Whether the connection accepts writes.
    public var isOpen: Bool {
        state == .open && flags.isDisjoint(with: .writeEnding)
    }

    /// Whether this connection owns memory beside itself: a queue or a closing deadline.
    package var ownsBuffers: Bool { cold != nil }

    /// Whether the connection ended, although its handler may not be told yet.
    package var isEnded: Bool { state == .closed }

    /// The descriptor's number, or a simulated one.
    package var descriptor: Int32 { socket.rawValue }

    /// Queues a copy of `bytes`, to be sent at the latest when the turn ends; 16 KiB and more are sent
    /// at once, and only what the kernel does not take is copied.
    @discardableResult
    public func write(_ bytes: RawSpan) -> WriteOutcome {
        // The pointer is used within the call only.
        bytes.withUnsafeBytes { loop.write($0, to: self) }
    }

    /// Queues `bytes` without copying them where they are large; `owner` keeps them alive and
    /// unchanged until they are sent.
    ///
    /// Payloads shared by many connections are sent so. The loop lets go of the owner when the turn ends
    /// in which they were sent, or later: its `deinit` may write.
    @discardableResult
    public func write(
        _ bytes: UnsafeRawBufferPointer, keptAliveBy owner: AnyObject
    ) -> WriteOutcome {
        loop.write(bytes, keptAliveBy: owner, to: self)
    }

    /// Sends `bytes` in this moment rather than when the turn ends, where nothing is to be sent before them; else
    /// returns `false` and does nothing. What the network does not take is queued; `owner` keeps it alive.
    ///
    /// For one who gives the same to many connections, and nothing more to them in this turn.
    package func sendAtOnce(
        _ bytes: UnsafeRawBufferPointer, keptAliveBy owner: AnyObject
    ) -> Bool {
        loop.sendAtOnce(bytes, keptAliveBy: owner, to: self)
    }

    /// Sends `count` bytes of `file` from `offset`, after what was written before and before what is
    /// written later, without reading them into memory where the kernel can (sendfile(2)).
    ///
    /// While a file waits, the connection counts as above its high watermark. Where the file turns
    /// out to be shorter, the connection fails with EIO. At most ``filesQueuedMax`` wait.
    @discardableResult
    public func send(_ file: OpenFile, offset: Int, count: Int) -> WriteOutcome {
        precondition(offset >= 0 && count >= 0, "\(count) bytes of a file from \(offset)")
        return loop.send(file, offset: offset, count: count, to: self)
    }

    /// Files that may wait to be sent; further ones are refused.
    public static var filesQueuedMax: Int { 64 }

    /// Sends what is queued, then end-of-file, waits for the peer's end-of-file and closes, all
    /// within ``Limits/closeTimeout``. Nothing more is delivered but the close.
    public func close() { loop.beginClose(self) }

    /// Sends what is queued, then end-of-file. The peer may go on sending (half close).
    public func closeWrite() { loop.closeWrite(self) }

    /// Drops what is queued and resets the connection.
    public func abort() { loop.terminate(self, .local) }

    /// Stops receiving, so that the peer feels backpressure through TCP's window.
    public func pauseReading() {
        guard state == .open, !flags.contains(.readingPaused) else { return }
        flags.insert(.readingPaused)
        stopClock()
        if !flags.contains(.readEnded) { loop.setReceiving(false, self) }
    }

    /// Receives again.
    public func resumeReading() {
        guard state == .open, flags.contains(.readingPaused) else { return }
        flags.remove(.readingPaused)
        startClock()
        if !flags.contains(.readEnded) { loop.setReceiving(true, self) }
    }

    /// A place for `count` bytes to be written at once in the turn's gather buffer; `nil` where
    /// they must go through ``write(_:)`` instead (a queue waits, they are many, or it is closed).
    ///
    /// The caller fills all of them before it calls anything else of this loop.
    package func reserve(_ count: Int) -> UnsafeMutableRawPointer? {
        // The settings hold the loop as long as this connection lives; a retain for each message
        // would cost more than the rest.
        Unmanaged.passUnretained(settings.loop)._withUnsafeGuaranteedRef {
            $0.reserve(count, for: self)
        }
    }

    /// Queues copies of a head and its body, both or neither: what is refused leaves no half frame.
    package func write(
        head: UnsafeRawBufferPointer, body: UnsafeRawBufferPointer
    ) -> WriteOutcome {
        loop.write(head: head, body: body, to: self)
    }

    var coldState: Cold {
        if let cold { return cold }
        let made = Cold(self)
        cold = made
        return made
    }
}
