/// Where requests that wait leave their continuations, and find what came before they had one.
///
/// A seat is the request's from its first look at the pool until it knows what became of it. The
/// core's places in the queue are given to others sooner.
struct WaiterSeats {
    struct Seat: Hashable, Sendable {
        fileprivate let index: Int32
        fileprivate let generation: UInt32
    }

    private enum State {
        case unused(next: Int32)
        /// In the queue; about to suspend.
        case queued(WaiterID, AcquisitionSite?)
        case suspended(WaiterID, AcquisitionSite?, UnsafeContinuation<LeaseOutcome, Never>)
        /// It was served before it could suspend.
        case settled(LeaseOutcome)
    }

    private var states: [(generation: UInt32, state: State)] = []
    private var firstUnused: Int32 = -1
    /// By the slots of the core's queue.
    private var seats: [Int32] = []

    mutating func take(_ waiter: WaiterID, _ site: AcquisitionSite?) -> Seat {
        let index: Int32
        if firstUnused >= 0, case .unused(let next) = states[Int(firstUnused)].state {
            index = firstUnused
            firstUnused = next
            states[Int(index)].state = .queued(waiter, site)
        } else {
            index = Int32(states.count)
            states.append((0, .queued(waiter, site)))
        }
        while seats.count <= Int(waiter.slot) { seats.append(-1) }
        seats[Int(waiter.slot)] = index
        return Seat(index: index, generation: states[Int(index)].generation)
    }

    /// Leaves a continuation; returns the outcome, where there is one already.
    mutating func suspend(
        _ seat: Seat, _ continuation: UnsafeContinuation<LeaseOutcome, Never>
    ) -> LeaseOutcome? {
        switch states[Int(seat.index)].state {
        case .queued(let waiter, let site):
            states[Int(seat.index)].state = .suspended(waiter, site, continuation)
            return nil
        case .settled(let outcome):
            free(seat.index)
            return outcome
        case .unused, .suspended: preconditionFailure("seat \(seat.index) is not its request's")
        }
    }

    /// The place in the queue of a request that may still wait.
    func waiter(_ seat: Seat) -> WaiterID? {
        guard states[Int(seat.index)].generation == seat.generation else { return nil }
        switch states[Int(seat.index)].state {
        case .queued(let waiter, _), .suspended(let waiter, _, _): return waiter
        case .unused, .settled: return nil
        }
    }

    /// Where the lease was asked for.
    func site(_ waiter: WaiterID) -> AcquisitionSite? {
        switch states[Int(seats[Int(waiter.slot)])].state {
        case .queued(_, let site), .suspended(_, let site, _): return site
        case .unused, .settled: return nil
        }
    }

    /// Settles a request that left the core's queue; returns its continuation, if it has one.
    mutating func settle(
        _ waiter: WaiterID, _ outcome: LeaseOutcome
    ) -> UnsafeContinuation<LeaseOutcome, Never>? {
        let index = seats[Int(waiter.slot)]
        switch states[Int(index)].state {
        case .suspended(_, _, let continuation):
            free(index)
            return continuation
        case .queued:
            states[Int(index)].state = .settled(outcome)
            return nil
        case .unused, .settled: preconditionFailure("\(waiter) was settled twice")
        }
    }

    private mutating func free(_ index: Int32) {
        states[Int(index)].generation &+= 1
        states[Int(index)].state = .unused(next: firstUnused)
        firstUnused = index
    }
}
