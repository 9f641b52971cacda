/// The messages of a topic that one loop has taken and some of its subscribers lack: what waiting
/// cursors point into.
///
/// Holds nothing while every subscriber keeps pace. Messages replaced by a later one with the same
/// key are marked, where the owner conflates, and leave first. Volatile messages leave as soon as
/// everyone was offered them; how many there were is still known.
struct CursorWindow<Message> {
    struct Slot {
        let place: UInt64
        let message: Message
        let bytes: Int
        let key: ExactName?
        /// Volatile messages that were between the message before and this one.
        var volatiles: UInt64 = 0
        /// A later message has the same key.
        var isReplaced = false
    }

    private var slots: ContiguousArray<Slot> = []
    private var head = 0
    private var replaced = 0
    /// Volatile messages that were behind the last one held.
    private var trailing: UInt64 = 0
    private var latest: [ExactName: UInt64] = [:]
    private(set) var bytes = 0
    /// The place after the last message ever appended.
    private(set) var end: UInt64

    init(end: UInt64) {
        self.end = end
    }

    /// Messages held.
    var count: Int { slots.count - head }

    /// Places in memory, for loops over what is held.
    var indices: Range<Int> { head..<slots.count }

    subscript(index: Int) -> Slot { slots[index] }

    /// Continues at another place: nothing was held, and the loop reads from there.
    mutating func restart(at place: UInt64) {
        guard place != end else { return }
        removeAll()
        end = place
    }

    /// Appends the message of the next place.
    mutating func append(_ message: Message, bytes: Int, key: ExactName?, conflates: Bool) {
        let place = end
        if conflates, let key {
            if let earlier = latest.updateValue(place, forKey: key) { markReplaced(earlier) }
        }
        slots.append(
            Slot(place: place, message: message, bytes: bytes, key: key, volatiles: trailing))
        trailing = 0
        self.bytes += bytes
        end += 1
    }

    /// The index of the first message held whose place is not before `place`.
    ///
    /// Complexity: O(1) where none was removed in between, O(log n) otherwise.
    func index(of place: UInt64) -> Int {
        guard head < slots.count, place > slots[head].place else { return head }
        let guess = place - slots[head].place + UInt64(head)
        if guess < slots.count, slots[Int(guess)].place == place { return Int(guess) }
        var (low, high) = (head, slots.count)
        while low < high {
            let middle = low + (high - low) / 2
            if slots[middle].place >= place { high = middle } else { low = middle + 1 }
        }
        return low
    }

    /// How many volatile messages that are gone lie between two places.
    ///
    /// Exact unless `place` lies behind replaced messages and before volatile ones that were next to
    /// each other and are gone.
    ///
    /// Complexity: O(messages held between the places).
    func volatiles(from place: UInt64, to end: UInt64) -> UInt64 {
        var (place, sum, index) = (place, 0 as UInt64, index(of: place))
        while index < slots.count, place <= end {
            let slot = slots[index]
            sum += min(slot.volatiles, min(slot.place, end) - place)
            place = slot.place + 1
            index += 1
        }
        return place < end ? sum + min(trailing, end - place) : sum
    }

    /// Drops replaced messages, where they are worth it.
    mutating func compact() {
        guard replaced > 0 else { return }
        remove(from: head) { $0.isReplaced ? 0 : nil }
    }

    /// Drops the volatile messages from `place` on: everyone was offered them.
    mutating func dropVolatile(from place: UInt64, where isVolatile: (Message) -> Bool) {
        remove(from: index(of: place)) { isVolatile($0.message) ? 1 : nil }
    }

    /// Removes the messages for which `volatiles` is not `nil`: how many volatile ones they are.
    private mutating func remove(from first: Int, _ volatiles: (Slot) -> UInt64?) {
        var kept = first
        var pending: UInt64 = 0
        for index in first..<slots.count {
            var slot = slots[index]
            if let gone = volatiles(slot) {
                forget(slot)
                pending += slot.volatiles + gone
            } else {
                slot.volatiles += pending
                pending = 0
                if kept < index || slot.volatiles > 0 { slots[kept] = slot }
                kept += 1
            }
        }
        slots.removeLast(slots.count - kept)
        trailing += pending
    }

    private mutating func forget(_ slot: Slot) {
        bytes -= slot.bytes
        if slot.isReplaced { replaced -= 1 }
        if let key = slot.key, latest[key] == slot.place { latest[key] = nil }
    }

    /// The index of the first message that may stay when no more than so much is held.
    func firstKept(messagesMax: Int, bytesMax: Int) -> Int {
        var index = head
        var bytes = bytes
        while index < slots.count, slots.count - index > messagesMax || bytes > bytesMax {
            bytes -= slots[index].bytes
            index += 1
        }
        return index
    }

    /// Drops the messages before `index`.
    mutating func drop(before index: Int) {
        for slot in slots[head..<index] { forget(slot) }
        head = index
        if head > slots.count / 2 {
            slots.removeFirst(head)
            head = 0
        }
    }

    /// Drops all messages.
    mutating func removeAll() {
        slots.removeAll(keepingCapacity: slots.capacity <= 256)
        head = 0
        bytes = 0
        replaced = 0
        trailing = 0
        latest = [:]
    }

    private mutating func markReplaced(_ place: UInt64) {
        let index = index(of: place)
        guard index < slots.count, slots[index].place == place else { return }
        slots[index].isReplaced = true
        replaced += 1
    }
}
