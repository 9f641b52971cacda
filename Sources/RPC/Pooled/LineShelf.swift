import ConnPool
import NetPoll
import Synchronization

/// The calls of a client that are in flight or wait for that, and the lines kept for the next ones.
///
/// No more lines are kept than calls are in flight: a client without calls holds no connection, so
/// that its pool can let idle ones go. While a call waits for one of the pool, none is kept at all: what
/// the others hold goes back to the pool, which serves those that wait in their order.
final class LineShelf: Sendable {
    struct Counts: Hashable, Sendable {
        var inFlight = 0
        var waiting = 0
        /// Calls that found too many in flight and waiting.
        var refused = 0
    }

    private struct State {
        var counts = Counts()
        /// Calls in flight that wait for a line of the pool.
        var leasing = 0
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

        mutating func takeAll() -> [Line] {
            var lines: [Line] = []
            while let line = takeKept() { lines.append(line) }
            return lines
        }

        /// A call is over, and its line may be used again: what becomes of both.
        mutating func next(_ used: Line?) -> OnEnd {
            var line = used
            var ended: Line?
            if let used, used.epoch != epoch || isClosed || leasing > 0 {
                (line, ended) = (nil, used)
            }
            if !seats.isEmpty {
                let seat = seats.removeFirst()
                // Those that wait at the pool came before it.
                guard seat.wantsKept, leasing == 0 else {
                    return .admit(seat, nil, ending: ended ?? line)
                }
                return .admit(seat, line ?? takeKept(), ending: ended)
            }
            counts.inFlight -= 1
            if let line {
                if keptCount < counts.inFlight { keep(line) } else { ended = line }
            }
            let isSurplus = keptCount > counts.inFlight
            return .over(ending: ended, isSurplus ? takeKept() : nil)
        }

        private mutating func grow() {
            kept = Array(kept[first...] + kept[..<first]) + .init(repeating: nil, count: kept.count)
            first = 0
        }
    }

    /// What follows the end of a call.
    private enum OnEnd {
        /// A call that waited is in flight instead, where it has not given up; with this line.
        case admit(CallSeat, Line?, ending: Line?)
        /// A call less is in flight.
        case over(ending: Line?, Line?)
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
                let seat = CallSeat(loop, wantsKept: wantsKept)
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
    /// - Returns: The line it was given, or `nil` where it needs one of the pool; the call is in flight.
    func wait(_ seat: CallSeat, until deadline: Instant?) async throws(RPCError) -> Line? {
        switch await seat.wait(until: deadline) {
        case .admitted(let line): return line
        case .closed: throw Self.closedError
        case .cancelled:
            gaveUpWaiting()
            throw RPCError(.cancelled, "the call was cancelled", execution: .notRun)
        case .timedOut:
            gaveUpWaiting()
            throw RPCError(
                .deadlineExceeded, "the deadline passed while too many calls were in flight",
                execution: .notRun)
        }
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
        var used = mayStay ? line : nil
        // What is let go of takes the pool's lock, so not under this one.
        if !mayStay { line?.end(failed: outcome == .failure) }
        while true {
            switch state.withLock({ $0.next(used) }) {
            case .over(let ended, let surplus):
                ended?.end()
                surplus?.end()
                return
            case .admit(let seat, let line, let ended):
                ended?.end()
                guard !seat.settle(.admitted(line)) else {
                    state.withLock { $0.counts.waiting -= 1 }
                    return
                }
                // It gave up meanwhile: the line is the next one's.
                used = line
            }
        }
    }

    /// A call in flight has to wait for a line of the pool: what is kept here goes back there.
    /// ``waitedForLease()`` follows.
    func waitsForLease() {
        let lines = state.withLock { state in
            state.leasing += 1
            return state.takeAll()
        }
        for line in lines { line.end() }
    }

    /// It has its line, or none.
    func waitedForLease() { state.withLock { $0.leasing -= 1 } }

    /// Which of the times it is.
    var epoch: Int { state.withLock { $0.epoch } }

    // MARK: - All lines

    /// Connections or endpoints changed: lines of before are not used again.
    func renew() {
        let lines = state.withLock { state in
            state.epoch += 1
            return state.takeAll()
        }
        for line in lines { line.end() }
    }

    /// Takes no more calls; those that wait are told so.
    func close() {
        let (lines, seats) = state.withLock { state in
            state.isClosed = true
            defer { state.seats = [] }
            return (state.takeAll(), state.seats)
        }
        for line in lines { line.end() }
        let told = seats.count { $0.settle(.closed) }
        state.withLock { $0.counts.waiting -= told }
    }

    static let closedError = RPCError(
        .unavailable, "the client takes no more calls", execution: .notRun)
}
