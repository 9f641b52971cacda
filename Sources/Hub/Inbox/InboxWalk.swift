import NetPoll

/// The reading of all inboxes of a loop anew, some at a time.
final class InboxWalk: TimerTarget {
    /// Inboxes that are read at once.
    private static let atOnce = 256
    /// How long the store may take for them before the next ones are read.
    private static let patience = Duration.seconds(1)

    private weak var shard: HubShard?
    /// The slot of the next session.
    private var slot = 0
    /// The numbers of the readings that it began last, and how many of them have not ended.
    private var numbers: Range<UInt64> = 0..<0
    private var open = 0
    private var timer = TimerID.none
    /// They may have changed since it began: once it is done it begins anew.
    var isAgain = false

    init(_ shard: HubShard) {
        self.shard = shard
    }

    /// Reads the next ones.
    func goOn() {
        guard let shard else { return }
        let count = shard.sessions.slotCount
        if slot >= count, isAgain { (slot, isAgain) = (0, false) }
        guard slot < count else {
            shard.inboxWalk = nil
            return
        }
        let (first, end) = (shard.inboxReads + 1, min(count, slot + Self.atOnce))
        for slot in slot..<end {
            if let session = shard.sessions.session(inSlot: slot) { shard.inboxChanged(session) }
        }
        slot = end
        numbers = first..<shard.inboxReads + 1
        open = numbers.count
        if open == 0 {
            shard.loop.execute { shard.inboxWalk?.goOn() }
        } else {
            timer = shard.loop.schedule(after: Self.patience, self)
        }
    }

    /// The reading of that number has ended.
    func ended(_ number: UInt64) {
        guard numbers.contains(number) else { return }
        open -= 1
        guard open == 0 else { return }
        shard?.loop.cancel(timer)
        goOn()
    }

    func timerFired(_ id: TimerID, on loop: EventLoop) { goOn() }
}
