/// Names a session for as long as the process runs; never given twice.
public struct SessionID: Hashable, Sendable, CustomStringConvertible {
    /// The loop that the session lives on.
    let loop: UInt16
    /// Its place in that loop's table.
    let slot: UInt32
    /// Which of the sessions that had the place.
    let generation: UInt32

    public var description: String { "\(loop)-\(slot)-\(generation)" }
}
