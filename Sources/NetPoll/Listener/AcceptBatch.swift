/// How many connections to accept when a level-triggered listener is ready.
///
/// An accept that finds no connection costs the kernel nearly as much as one that does: it sets up
/// the new socket first. So the next accept is left to the next turn where one at a time keeps up,
/// and batches grow while they do not.
package struct AcceptBatch {
    /// Full batches in a row after which the next are twice as large.
    private static var fullMax: Int { 4 }

    /// How many to accept next.
    package private(set) var size = 1
    private var full = 0

    package init() {}

    /// A batch ended.
    ///
    /// - Parameters:
    ///   - accepted: How many connections it brought.
    ///   - foundNone: Whether it ended because no connection waited any more.
    package mutating func ended(accepted: Int, foundNone: Bool) {
        if foundNone {
            size = max(1, accepted)
            full = 0
        } else if accepted >= size {
            full += 1
            guard full == Self.fullMax else { return }
            full = 0
            size = min(size * 2, 1 << 16)
        }
    }
}
