/// The one order of a topic's messages, and who has read how far.
///
/// Every message gets the next place of the *live* sequence, from which each event loop reads what
/// it has not delivered yet. A stored message also gets the next *offset* and enters the history.
/// Nothing is copied per reader: a reader is a cursor, and what all readers have passed is dropped.
///
///     live      …  41  42  43  44        offset  7 ──────────▶ history (the last n)
///                   ▲       ▲
///               loop 0   loop 1
///
/// Performs no locking; ``Topic`` does.
///
/// Complexity: O(loops) per append and take, plus the messages taken.
struct TopicLog<Message> {
    struct Limits {
        /// Stored messages kept for those who come later.
        var historyMessagesMax: Int
        /// Bytes of stored messages kept; the newest one is kept in any case.
        var historyBytesMax: Int
        /// Messages that the slowest loop may be behind before appending is refused.
        var liveMessagesMax: Int
        /// Bytes of messages that the slowest loop may be behind.
        var liveBytesMax: Int
    }

    /// Stored messages for a reader that fell behind.
    struct OnRead {
        /// Oldest first.
        let messages: [Message]
        /// Whether they are exactly those after the offset asked for.
        let isGapless: Bool
        /// How many of them are gone that came after the offset asked for, where that is known.
        let gone: UInt64
        /// Just after the last of them.
        let position: TopicPosition
        /// The place in the live sequence from which on a reader that has them all continues; `nil`
        /// where more are stored.
        let continuesAt: UInt64?
    }

    /// A part of the stored messages.
    struct OnPage {
        /// Oldest first.
        let messages: [Message]
        /// Whether they begin with the one after the position asked for; otherwise they are the newest.
        let isGapless: Bool
        /// Whether more follow.
        let hasMore: Bool
    }

    enum OnAppend {
        /// Appended; the loops in `wake` have to be told that there is something to read.
        case appended(wake: LoopSet)
        /// The slowest loop is too far behind.
        case refused
    }

    struct OnTake: Hashable {
        /// The live sequence's place of the first message taken.
        let start: UInt64
        /// Whether there is more.
        let hasMore: Bool
        /// The epoch of what is stored now; messages taken may be of one before.
        let epoch: Epoch
    }

    struct Entry {
        let message: Message
        let bytes: Int
    }

    private struct Reader {
        var isAttached = false
        /// Whether the loop has been told and has not read since.
        var isWoken = false
        /// The first place of the live sequence it has not read.
        var cursor: UInt64 = 0
    }

    private(set) var epoch: Epoch
    /// The offset of the last stored message; 0 when there was none.
    private(set) var offset: UInt64 = 0

    private let limits: Limits
    private var history = Ring<Entry>()
    private var historyBytes = 0
    private var live = Ring<Entry>()
    private var liveBytes = 0
    /// The live sequence's place of the first entry of `live`.
    private var liveStart: UInt64 = 0
    private var readers: [Reader]

    init(epoch: Epoch, loops: Int, limits: Limits) {
        precondition(loops <= LoopSet.loopsMax, "\(loops) loops exceed \(LoopSet.loopsMax)")
        self.epoch = epoch
        self.limits = limits
        self.readers = Array(repeating: Reader(), count: loops)
    }

    /// The place in the live sequence that the next message gets.
    var liveEnd: UInt64 { liveStart + UInt64(live.count) }

    /// Bytes of the messages held, those for readers and those of the history.
    var bytes: Int { liveBytes + historyBytes }

    /// Keeps the history to a part of its bounds.
    mutating func shrinkHistory(to part: Int) {
        while history.count > limits.historyMessagesMax / part
            || (historyBytes > limits.historyBytesMax / part && history.count > 1)
        {
            historyBytes -= history.popFirst()?.bytes ?? 0
        }
    }

    /// The offset of the oldest message kept; the next one's where none is.
    var firstOffset: UInt64 { offset - UInt64(history.count) + 1 }

    /// Whether all that came after `position` is kept.
    func holds(after position: TopicPosition) -> Bool {
        position.epoch == epoch && position.offset <= offset && position.offset + 1 >= firstOffset
    }

    /// Whether another message of `bytes` would be taken.
    func hasRoom(for bytes: Int) -> Bool {
        live.isEmpty
            || (live.count < limits.liveMessagesMax && liveBytes + bytes <= limits.liveBytesMax)
    }

    /// Takes over what a store has kept; nothing was stored here before.
    mutating func load(_ end: TopicPosition, _ messages: [(message: Message, bytes: Int)]) {
        assert(offset == 0, "loaded after \(offset) messages")
        epoch = end.epoch
        for (message, bytes) in messages { store(Entry(message: message, bytes: bytes)) }
        offset = end.offset
    }

    /// Makes the next stored message the one of that position. What a gap before it leaves behind is
    /// forgotten: it is no longer all there was.
    mutating func expect(_ position: TopicPosition) {
        guard position.epoch != epoch || position.offset != offset + 1 else { return }
        epoch = position.epoch
        offset = position.offset - 1
        history = Ring()
        historyBytes = 0
    }

    /// Whether there were messages before that position, in its epoch, that were not appended here.
    func isGap(before position: TopicPosition) -> Bool {
        position.offset > (position.epoch == epoch ? offset + 1 : 1)
    }

    /// Appends something about the topic that comes at this place for every reader, however far the
    /// slowest loop is behind.
    mutating func announce(_ message: Message, bytes: Int) -> LoopSet {
        makeLive(Entry(message: message, bytes: bytes))
    }

    /// As ``append(_:bytes:stored:)``, however far the slowest loop is behind: a store has it already.
    mutating func appendStored(_ message: Message, bytes: Int) -> LoopSet {
        let entry = Entry(message: message, bytes: bytes)
        store(entry)
        return makeLive(entry)
    }

    /// Appends a message that comes after all others, for every reader alike.
    mutating func append(_ message: Message, bytes: Int, stored: Bool) -> OnAppend {
        guard hasRoom(for: bytes) else { return .refused }
        let entry = Entry(message: message, bytes: bytes)
        if stored { store(entry) }
        return .appended(wake: makeLive(entry))
    }

    private mutating func makeLive(_ entry: Entry) -> LoopSet {
        var wake = LoopSet()
        var isRead = false
        for index in readers.indices where readers[index].isAttached {
            isRead = true
            if !readers[index].isWoken {
                readers[index].isWoken = true
                wake.insert(index)
            }
        }
        if isRead {
            live.append(entry)
            liveBytes += entry.bytes
        } else {
            liveStart += 1
        }
        return wake
    }

    /// Lets `loop` read what is appended from now on.
    mutating func attach(_ loop: Int) {
        assert(!readers[loop].isAttached, "loop \(loop) reads already")
        readers[loop] = Reader(isAttached: true, isWoken: false, cursor: liveEnd)
    }

    /// Ends the reading of `loop`, which has no subscriber any more.
    mutating func detach(_ loop: Int) {
        readers[loop] = Reader()
        dropRead()
    }

    /// Appends what `loop` has not read to `batch`, oldest first, until it has `bytesMax` or all.
    ///
    /// A loop that did not get all counts as woken: it has to come again by itself.
    mutating func take(for loop: Int, into batch: inout [Message], bytesMax: Int) -> OnTake {
        readers[loop].isWoken = false
        guard readers[loop].isAttached else {
            return OnTake(start: liveEnd, hasMore: false, epoch: epoch)
        }
        let start = readers[loop].cursor
        var index = Int(start - liveStart)
        var bytes = 0
        while index < live.count, bytes < bytesMax {
            batch.append(live[index].message)
            bytes += live[index].bytes
            index += 1
        }
        let hasMore = index < live.count
        readers[loop].isWoken = hasMore
        readers[loop].cursor = liveStart + UInt64(index)
        dropRead()
        return OnTake(start: start, hasMore: hasMore, epoch: epoch)
    }

    /// Stored messages after `position`, oldest first, and whether they are all there were.
    ///
    /// Without a position, or when they are not all there, everything kept is given.
    func messages(after position: TopicPosition?) -> (messages: [Message], recovered: Bool) {
        var start = 0
        var recovered = false
        if let position, holds(after: position) {
            start = Int(position.offset + 1 - firstOffset)
            recovered = true
        }
        return ((start..<history.count).map { history[$0].message }, recovered)
    }

    /// As many of the stored messages after `position` as `limit` allows; without a position, or when they
    /// are not all there, the newest.
    ///
    /// Complexity: O(messages given).
    func page(after position: TopicPosition?, _ limit: PageLimit) -> OnPage {
        var fill = PageFill(limit)
        var (start, end) = (history.count, history.count)
        let isGapless = position.map(holds) ?? false
        if let position, isGapless {
            start = Int(position.offset + 1 - firstOffset)
            end = start
            while end < history.count, fill.admits(history[end].bytes) { end += 1 }
        } else {
            while start > 0, fill.admits(history[start - 1].bytes) { start -= 1 }
        }
        return OnPage(
            messages: (start..<end).map { history[$0].message }, isGapless: isGapless,
            hasMore: end < history.count)
    }

    /// Stored messages after `known`, oldest first, about `bytesMax` of them.
    ///
    /// Where some of them are gone, those that are kept.
    func read(after known: UInt64, bytesMax: Int) -> OnRead {
        let first = offset - UInt64(history.count) + 1
        let isGapless = known + 1 >= first && known <= offset
        var next = isGapless ? known + 1 : first
        var messages: [Message] = []
        var bytes = 0
        while next <= offset, bytes < bytesMax {
            let entry = history[Int(next - first)]
            messages.append(entry.message)
            bytes += entry.bytes
            next += 1
        }
        return OnRead(
            messages: messages, isGapless: isGapless,
            gone: known + 1 < first ? first - known - 1 : 0,
            position: TopicPosition(epoch: epoch, offset: next - 1),
            continuesAt: next > offset ? liveEnd : nil)
    }

    /// Drops what an owner finds too old, from the oldest on.
    mutating func dropHistory(while isOld: (Message) -> Bool) {
        while history.count > 0, isOld(history[0].message) {
            historyBytes -= history.popFirst()?.bytes ?? 0
        }
    }

    private mutating func store(_ entry: Entry) {
        offset += 1
        guard limits.historyMessagesMax > 0 else { return }
        history.append(entry)
        historyBytes += entry.bytes
        while history.count > limits.historyMessagesMax
            || (historyBytes > limits.historyBytesMax && history.count > 1)
        {
            historyBytes -= history.popFirst()?.bytes ?? 0
        }
    }

    private mutating func dropRead() {
        var slowest = liveEnd
        for reader in readers where reader.isAttached { slowest = min(slowest, reader.cursor) }
        while liveStart < slowest, let entry = live.popFirst() {
            liveBytes -= entry.bytes
            liveStart += 1
        }
    }
}
