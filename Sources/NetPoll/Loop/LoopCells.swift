/// A value for each loop of a group, of which every loop touches its own only.
///
/// `@unchecked Sendable`: a cell is read and written on its loop alone, which is checked; the array of
/// cells never changes.
package final class LoopCells<Value: AnyObject>: @unchecked Sendable {
    private let cells: [LoopCell]

    /// - Parameter loops: The group's, by ``EventLoop/index``.
    package init(_ loops: [EventLoop]) {
        cells = loops.map { _ in LoopCell() }
    }

    /// The value of `loop`; on that loop only.
    package subscript(loop: EventLoop) -> Value? {
        get {
            loop.checkCurrent()
            return cells[loop.index].value.map(Self.cast)
        }
        set {
            loop.checkCurrent()
            cells[loop.index].value = newValue
        }
    }

    /// The value of `loop`, which is made where there is none; on that loop only.
    package func value(of loop: EventLoop, orMake make: () -> Value) -> Value {
        loop.checkCurrent()
        let cell = cells[loop.index]
        if let value = cell.value { return Self.cast(value) }
        let made = make()
        cell.value = made
        return made
    }

    private static func cast(_ value: AnyObject) -> Value { unsafeDowncast(value, to: Value.self) }
}

/// A loop's cell. Not generic itself: its type would be looked up at each access.
private final class LoopCell {
    var value: AnyObject?
}
