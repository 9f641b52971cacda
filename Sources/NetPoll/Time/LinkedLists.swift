/// Doubly linked lists of numbered items, of which each is in one list at most.
///
/// A list is a ring through a link of its own, so that taking an item out asks for neither its list
/// nor its neighbours' existence. Eight bytes an item.
struct LinkedLists: ~Copyable {
    struct Link {
        var next: UInt32
        var previous: UInt32
    }

    private var links = ChunkedStorage<Link>()
    /// The first links are the lists' own; items follow.
    private let listCount: UInt32

    /// So many lists, empty ones.
    init(count: Int) {
        listCount = UInt32(count)
        while links.capacity < count { links.grow() }
        for list in 0..<listCount {
            links.pointer(Int(list)).initialize(to: Link(next: list, previous: list))
        }
    }

    /// Makes room for items below `count`.
    mutating func reserve(_ count: Int) {
        while links.capacity < count + Int(listCount) { links.grow() }
    }

    func isEmpty(_ list: UInt32) -> Bool { links.pointer(Int(list)).pointee.next == list }

    /// The item that was appended first.
    func first(_ list: UInt32) -> UInt32? {
        let next = links.pointer(Int(list)).pointee.next
        return next == list ? nil : next &- listCount
    }

    /// Appends an item that is in no list.
    @inline(__always)
    mutating func append(_ item: UInt32, to list: UInt32) {
        let place = item &+ listCount
        let head = links.pointer(Int(list))
        let last = head.pointee.previous
        links.pointer(Int(place)).initialize(to: Link(next: list, previous: last))
        links.pointer(Int(last)).pointee.next = place
        head.pointee.previous = place
    }

    /// Takes an item out of its list.
    ///
    /// - Returns: The list, where it was its last item.
    @inline(__always)
    mutating func remove(_ item: UInt32) -> UInt32? {
        let link = links.pointer(Int(item &+ listCount)).pointee
        links.pointer(Int(link.previous)).pointee.next = link.next
        links.pointer(Int(link.next)).pointee.previous = link.previous
        return link.next == link.previous && link.next < listCount ? link.next : nil
    }

    /// Appends all items of one list to another; O(1).
    mutating func moveAll(_ list: UInt32, to target: UInt32) {
        guard !isEmpty(list) else { return }
        let (head, end) = (links.pointer(Int(list)), links.pointer(Int(target)))
        let (first, last) = (head.pointee.next, head.pointee.previous)
        let before = end.pointee.previous
        links.pointer(Int(before)).pointee.next = first
        links.pointer(Int(first)).pointee.previous = before
        links.pointer(Int(last)).pointee.next = target
        end.pointee.previous = last
        head.initialize(to: Link(next: list, previous: list))
    }

    // MARK: - Items in no list

    /// What ``setNext(_:_:)`` noted: an item in no list may lead to another.
    func next(_ item: UInt32) -> UInt32 { links.pointer(Int(item &+ listCount)).pointee.next }

    mutating func setNext(_ item: UInt32, _ next: UInt32) {
        links.pointer(Int(item &+ listCount)).initialize(to: Link(next: next, previous: next))
    }

    func prefetch(_ item: UInt32) { Platform.prefetch(links.pointer(Int(item &+ listCount))) }
}
