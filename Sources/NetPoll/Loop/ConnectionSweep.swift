/// Does something that ends connections to all of a loop's, a bounded number a turn.
final class ConnectionSweep {
    private let tokens: [Token]
    private var next = 0
    private let body: (Connection) -> Void
    private let done: () -> Void

    init(
        _ tokens: [Token], _ body: @escaping (Connection) -> Void, done: @escaping () -> Void
    ) {
        self.tokens = tokens
        self.body = body
        self.done = done
    }

    /// Takes the next ones.
    ///
    /// - Returns: Whether it is over.
    func advance(on loop: EventLoop) -> Bool {
        let end = next + min(tokens.count - next, loop.configuration.closesPerTurnMax)
        while next < end {
            next += 1
            guard let connection = loop.connection(for: tokens[next - 1])?.takeUnretainedValue(),
                connection.state != .closed
            else { continue }
            body(connection)
        }
        guard next == tokens.count else { return false }
        done()
        return true
    }
}

extension EventLoop {
    /// Calls `body` with every connection there is now, as far as it is not closed before its turn
    /// comes: no more than ``Configuration/closesPerTurnMax`` at once, and as many in each turn after
    /// this one. Then calls `done`; neither is called once the loop is shut down.
    package func sweepConnections(
        _ body: @escaping (Connection) -> Void, done: @escaping () -> Void = {}
    ) {
        checkCurrent()
        let sweep = ConnectionSweep(slots.tokens(.connection), body, done: done)
        if !sweep.advance(on: self) { sweeps.append(sweep) }
    }

    /// Goes on with what earlier turns began.
    func advanceSweeps() {
        let begun = sweeps
        sweeps = []
        let left = begun.filter { !$0.advance(on: self) }
        // What these calls may have begun comes behind.
        sweeps = left + sweeps
    }
}
