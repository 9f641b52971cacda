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

extension SessionID {
    /// Reads what ``description`` wrote; `nil` for anything else.
    package init?(_ text: String) {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 3, let loop = UInt16(parts[0]), let slot = UInt32(parts[1]),
            let generation = UInt32(parts[2])
        else { return nil }
        self.init(loop: loop, slot: slot, generation: generation)
    }
}
