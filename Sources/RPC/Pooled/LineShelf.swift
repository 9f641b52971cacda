import ConnPool
import NetPoll
import Synchronization

/// The calls of a client that are in flight or wait for that, and the lines kept for the next ones.
///
/// No more lines are kept than calls are in flight: a client without calls holds no connection, so
/// that its pool can let idle ones go.
final class LineShelf: Sendable {
    struct Counts: Hashable, Sendable {
        var inFlight = 0
        var waiting = 0
        /// Calls that found too many in flight and waiting.
        var refused = 0
    }

    private struct State {
        var counts = Counts()
        var kept: [Line?] = .init(repeating: nil, count: 64)
        var first = 0
        var keptCount = 0
        var seats: [CallSeat] = []
        var epoch = 0
        var isClosed = false

        mutating func keep(_ line: Line) {
            if keptCount == kept.count { grow() }
            kept[(first + keptCount) & (kept.count - 1)] = line
            keptCount += 1
        }

        /// The one kept for longest, so that each comes to its end.
        mutating func takeKept() -> Line? {
            guard keptCount > 0 else { return nil }
            let line = kept[first].take()
            first = (first + 1) & (kept.count - 1)
            keptCount -= 1
            return line
        }

        /// A call less is in flight, but where another that waited is instead.
        mutating func nextSeat() -> CallSeat? {
            guard seats.isEmpty else { return seats.removeFirst() }
            counts.inFlight -= 1
            return nil
        }

        private mutating func grow() {
            kept = Array(kept[first...] + kept[..<first]) + .init(repeating: nil, count: kept.count)
            first = 0
        }
    }

    enum OnTake: Sendable {
        /// The call is in flight.
        case line(Line)
        /// The call is in flight, and needs a line of the pool.
        case lease(epoch: Int)
        /// The call has to wait.
        case wait(CallSeat)
        case refuse(RPCError)
    }

    private let callsMax: Int
    private let waitingMax: Int
    private let loop: EventLoop
    private let state = Mutex(State())

    init(callsMax: Int, whenFull: RPCConfiguration.FullPolicy, loop: EventLoop) {
        precondition(callsMax > 0, "at most \(callsMax) calls in flight")
        self.callsMax = callsMax
        switch whenFull {
        case .wait(let callsMax): waitingMax = callsMax
        case .fail: waitingMax = 0
        }
        self.loop = loop
    }

    var counts: Counts { state.withLock { $0.counts } }

    /// A call wants to go out.
    ///
    /// - Parameter wantsKept: Whether any endpoint will do.
    /// - Returns: What it is to do.
    func take(wantsKept: Bool) -> OnTake {
        state.withLock { state in
            guard !state.isClosed else { return .refuse(Self.closedError) }
            // While any call waits none that ends leaves room: it goes to the first of them.
            guard state.counts.inFlight < callsMax else {
                guard state.counts.waiting < waitingMax else {
                    state.counts.refused += 1
                    return .refuse(
                        RPCError(
                            .resourceExhausted, "\(callsMax) calls are in flight",
                            execution: .notRun))
                }
                state.counts.waiting += 1
                let seat = CallSeat(loop)
                state.seats.append(seat)
                return .wait(seat)
            }
            state.counts.inFlight += 1
            if wantsKept, let line = state.takeKept() { return .line(line) }
            return .lease(epoch: state.epoch)
        }
    }

    /// Waits for a seat's turn.
    ///
    /// - Returns: The epoch for a lease of the pool; the call is in flight.
    func wait(_ seat: CallSeat, until deadline: Instant?) async throws(RPCError) -> Int {
        let outcome = await seat.wait(until: deadline)
        switch outcome {
        case .admitted: return state.withLock { $0.epoch }
        case .closed: throw Self.closedError
        case .timedOut, .cancelled: gaveUpWaiting()
        }
        guard outcome == .timedOut else {
            throw RPCError(.cancelled, "the call was cancelled", execution: .notRun)
        }
        throw RPCError(
            .deadlineExceeded, "the deadline passed while too many calls were in flight",
            execution: .notRun)
    }

    private func gaveUpWaiting() {
        state.withLock { state in
            state.counts.waiting -= 1
            // Those that gave up stand in the queue until they are its most part.
            if state.seats.count > 2 * state.counts.waiting + 16 {
                state.seats.removeAll { $0.isSettled }
            }
        }
    }

    /// A call is over.
    ///
    /// - Parameters:
    ///   - line: Where it went; `nil` where it got none.
    ///   - outcome: What it says of its endpoint.
    func giveBack(_ line: Line?, _ outcome: CallOutcome) {
        let mayStay = line?.used(outcome) ?? false
        // What is let go of takes the pool's lock, so not under this one.
        let (ended, surplus, first) = state.withLock { state in
            let next = state.nextSeat()
            var ended = line
            if mayStay, let line, line.epoch == state.epoch, !state.isClosed,
                state.keptCount < state.counts.inFlight
            {
                state.keep(line)
                ended = nil
            }
            let isSurplus = state.keptCount > state.counts.inFlight
            return (ended, isSurplus ? state.takeKept() : nil, next)
        }
        var next = first
        while let seat = next {
            if seat.settle(.admitted) {
                state.withLock { $0.counts.waiting -= 1 }
                break
            }
            next = state.withLock { $0.nextSeat() }
        }
        ended?.end(failed: outcome == .failure)
        surplus?.end()
    }

    // MARK: - All lines

    /// Connections or endpoints changed: lines of before are not used again.
    func renew() {
        let lines = state.withLock { state in
            state.epoch += 1
            return Self.takeAll(&state)
        }
        for line in lines { line.end() }
    }

    /// Takes no more calls; those that wait are told so.
    func close() {
        let (lines, seats) = state.withLock { state in
            state.isClosed = true
            defer { state.seats = [] }
            return (Self.takeAll(&state), state.seats)
        }
        for line in lines { line.end() }
        let told = seats.count { $0.settle(.closed) }
        state.withLock { $0.counts.waiting -= told }
    }

    private static func takeAll(_ state: inout State) -> [Line] {
        var lines: [Line] = []
        while let line = state.takeKept() { lines.append(line) }
        return lines
    }

    static let closedError = RPCError(
        .unavailable, "the client takes no more calls", execution: .notRun)
}
