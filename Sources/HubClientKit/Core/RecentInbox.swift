import Hub

/// The inbox's messages that came last, so that one that comes twice is told once.
struct RecentInbox {
    private static let idsMax = 1_024

    private var known: Set<InboxID> = []
    private var inOrder: [InboxID] = []

    /// - Returns: Whether it is new.
    mutating func insert(_ id: InboxID) -> Bool {
        guard known.insert(id).inserted else { return false }
        inOrder.append(id)
        if inOrder.count > Self.idsMax {
            for old in inOrder.prefix(Self.idsMax / 2) { known.remove(old) }
            inOrder.removeFirst(Self.idsMax / 2)
        }
        return true
    }
}
