/// A value for each loop of a group, of which every loop touches its own only.
///
/// `@unchecked Sendable`: a cell is read and written on its loop alone, which is checked; the array of
/// cells never changes.
package final class LoopCells<Value>: @unchecked Sendable {
    private final class Cell {
        var value: Value?
    }

    private let cells: [Cell]

    /// - Parameter loops: The group's, by ``EventLoop/index``.
    package init(_ loops: [EventLoop]) {
        cells = loops.map { _ in Cell() }
    }

    /// The value of `loop`; on that loop only.
    package subscript(loop: EventLoop) -> Value? {
        get {
            loop.checkCurrent()
            return cells[loop.index].value
        }
        set {
            loop.checkCurrent()
            cells[loop.index].value = newValue
        }
    }

    /// The value of `loop`, or another where there is none; on that loop only.
    package subscript(loop: EventLoop, default other: @autoclosure () -> Value) -> Value {
        get { self[loop] ?? other() }
        set { self[loop] = newValue }
    }

    /// The value of `loop`, which is made where there is none; on that loop only.
    package func value(of loop: EventLoop, orMake make: () -> Value) -> Value {
        loop.checkCurrent()
        let cell = cells[loop.index]
        if let value = cell.value { return value }
        let made = make()
        cell.value = made
        return made
    }
}
