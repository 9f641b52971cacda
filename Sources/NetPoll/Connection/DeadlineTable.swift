/// The deadlines of a loop's connections: one timer each, moved only when it fires too early.
///
/// A connection stores one instant, when it was last heard of or sent something; receiving costs
/// that store. When its timer fires, the deadline is computed from the instant, and the timer is
/// armed again where there is time left. Only an event that brings a deadline nearer moves the
/// timer at once. While reading is paused the time that has passed stands in place of the instant, and
/// goes on from there.
///
/// Milliseconds are counted in 32 bits that wrap after 49 days, which is longer than any deadline
/// may be. Takes 24 bytes a connection beside the timer, and nothing where there are no deadlines.
final class DeadlineTable: TimerTarget {
    private struct Watch {
        var timer: TimerID?
        /// When the timer fires.
        var due: UInt32 = 0
    }

    /// The longest deadline.
    static var longest: Duration { .seconds(20 * 86_400) }

    // Used for every connection, on the loop's thread only; the timers' calls are made between accesses.
    @exclusivity(unchecked) private var watches: [Watch] = []
    /// Whose timer it is, by the timer's index.
    @exclusivity(unchecked) private var tokens: [Token] = []

    /// Starts or tightens the watch over a connection.
    func watch(_ connection: Connection) {
        let loop = connection.loop
        guard connection.state == .open, let (left, _) = connection.nearestDeadline else { return }
        let slot = connection.token.slot
        while watches.count <= slot { watches.append(Watch()) }
        let due = loop.nowMilliseconds &+ UInt32(clamping: left)
        if let timer = watches[slot].timer {
            guard Int32(bitPattern: due &- watches[slot].due) < 0 else { return }
            loop.reschedule(timer, after: .milliseconds(left))
            watches[slot].due = due
            return
        }
        arm(connection, due, after: left)
    }

    func forget(_ connection: Connection) {
        let slot = connection.token.slot
        guard slot < watches.count, let timer = watches[slot].timer else { return }
        connection.loop.cancel(timer)
        watches[slot].timer = nil
    }

    func timerFired(_ id: TimerID, on loop: EventLoop) {
        let token = tokens[Int(id.index)]
        watches[token.slot].timer = nil
        guard let connection = loop.connection(for: token)?.takeUnretainedValue(),
            connection.state == .open, let (left, reason) = connection.nearestDeadline
        else { return }
        guard left > 0 else {
            loop.terminate(connection, reason)
            return
        }
        arm(connection, loop.nowMilliseconds &+ UInt32(clamping: left), after: left)
    }

    private func arm(_ connection: Connection, _ due: UInt32, after left: Int64) {
        let timer = connection.loop.schedule(after: .milliseconds(left), self)
        let index = Int(timer.index)
        while tokens.count <= index { tokens.append(connection.token) }
        tokens[index] = connection.token
        watches[connection.token.slot] = Watch(timer: timer, due: due)
    }
}

extension Connection {
    /// Milliseconds left to the nearest deadline, and what is said of the connection then; `nil`
    /// where none applies.
    fileprivate var nearestDeadline: (left: Int64, reason: CloseReason)? {
        let now = loop.nowMilliseconds
        var nearest: (left: Int64, reason: CloseReason)?
        if settings.writeStall > 0, let since = cold?.stalledSince {
            nearest = (Int64(settings.writeStall) - Int64(now &- since), .writeStalled)
        }
        let (limit, reason): (UInt32, CloseReason) =
            if flags.contains(.awaitsFirstByte) {
                (settings.firstByte, .firstByteTimedOut)
            } else if flags.contains(.awaitsInput) {
                (settings.input, .inputTimedOut)
            } else {
                (settings.idle, .idleTimedOut)
            }
        guard limit > 0 else { return nearest }
        // The peer is not to blame for what this side does not read.
        let elapsed = flags.contains(.readingPaused) ? 0 : Int64(now &- lastActivity)
        let left = Int64(limit) - elapsed
        guard let found = nearest, found.left <= left else { return (left, reason) }
        return found
    }

    /// Whether the handler holds the beginning of something and waits for the rest of it; set by
    /// the handler. It starts and ends the time of ``Limits/inputTimeout``.
    public var inputIsIncomplete: Bool {
        get { flags.contains(.inputIsIncomplete) }
        set {
            guard newValue != inputIsIncomplete else { return }
            noteActivity()
            if newValue {
                flags.insert(.inputIsIncomplete)
                if settings.input > 0 { flags.insert(.awaitsInput) }
            } else {
                flags.subtract([.inputIsIncomplete, .awaitsInput])
            }
            if settings.hasDeadlines { loop.deadlines.watch(self) }
        }
    }

    /// Bytes arrived. One store, but for the first bytes.
    @inline(__always)
    func noteReceived() {
        if flags.isDisjoint(with: .holdsInstant) {
            lastActivity = loop.nowMilliseconds
        } else if flags.contains(.awaitsFirstByte) {
            flags.remove(.awaitsFirstByte)
            lastActivity = loop.nowMilliseconds
            loop.deadlines.watch(self)
        }
    }

    /// The kernel took bytes.
    @inline(__always)
    func noteSent() {
        if flags.isDisjoint(with: .holdsInstant) { noteActivity() }
    }

    @inline(__always)
    private func noteActivity() {
        lastActivity = flags.contains(.readingPaused) ? 0 : loop.nowMilliseconds
    }

    /// Deadlines stand still: the instant gives way to the time that has passed since, until reading goes on.
    func stopClock() { lastActivity = loop.nowMilliseconds &- lastActivity }

    /// They go on where they stood.
    func startClock() {
        lastActivity = loop.nowMilliseconds &- lastActivity
        if settings.hasDeadlines { loop.deadlines.watch(self) }
    }

    /// Starts the deadlines of a new connection.
    func startDeadlines() {
        guard settings.hasDeadlines else { return }
        if settings.firstByte > 0 { flags.insert(.awaitsFirstByte) }
        loop.deadlines.watch(self)
    }
}
