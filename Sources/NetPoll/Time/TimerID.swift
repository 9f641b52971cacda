/// Names one armed timer of one loop.
///
/// Slot and generation: an identifier kept after its timer fired or was cancelled names nothing,
/// and never a later timer.
public struct TimerID: Hashable, Sendable {
    let index: UInt32
    let generation: UInt32

    /// Names no timer, in the space of one: what an optional would take more for.
    package static var none: TimerID { TimerID(index: .max, generation: .max) }
}

/// Receives the firing of timers; see ``EventLoop/schedule(after:_:)``.
public protocol TimerTarget: AnyObject {
    /// The timer's time has come. A timer that fires once is gone; arm another to go on. One that
    /// repeats stays armed.
    ///
    /// Called on the loop.
    func timerFired(_ id: TimerID, on loop: EventLoop)
}
