/// Counters of one loop since it was made; they only rise.
public struct LoopMetrics: Hashable, Sendable {
    /// Turns of the loop, without those in which it only looked for something to do
    /// (``EventLoop/Configuration/idlePollTime``).
    public var turns = 0
    /// What the driver delivered: connections, bytes, ends, room for more, failures.
    public var events = 0
    /// Jobs posted to the loop, and pieces of tasks, that were run.
    public var jobs = 0
    /// Timers that fired.
    public var timersFired = 0
    /// Connections accepted and registered.
    public var accepted = 0
    /// Outgoing connections that came about.
    public var connected = 0
    /// Outgoing connections that did not.
    public var connectFailures = 0
    /// Connections that ended.
    public var closed = 0
    /// Connections closed unread because descriptors or memory were exhausted.
    public var shed = 0
    /// Accepts that failed, whatever the reason.
    public var acceptFailures = 0
    /// Times a listener paused for want of descriptors or memory.
    public var acceptPauses = 0
    /// Sends offered to the kernel.
    public var sends = 0
    /// Receives that brought bytes.
    public var receives = 0
    /// Events dropped because their registration was gone.
    public var staleEvents = 0

    public init() {}
}
