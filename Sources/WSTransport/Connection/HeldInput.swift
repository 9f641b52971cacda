/// Input of a connection that compresses, which was received and cannot be taken yet: the turn's
/// inflated bytes are used up, or who reads is behind.
///
/// Reading is paused meanwhile, so that it is at most what one turn reads.
struct HeldInput {
    /// What waits, behind ``start``; may be empty where a message is left inside the inflater.
    private var bytes: [UInt8] = []
    private var start = 0
    /// Whether input that comes has to wait behind what is here.
    private(set) var isHolding = false
    /// Whether who reads wants nothing more.
    var isPaused = false
    /// Whether a job is posted that goes on with it.
    var isDue = false

    var isEmpty: Bool { !isHolding && !isPaused }

    mutating func append(_ input: RawSpan) {
        isHolding = true
        // The pointer is used within the call only.
        input.withUnsafeBytes { bytes.append(contentsOf: $0) }
    }

    /// Takes what waits out, to be given back by ``putBack(_:from:)`` or ``release()``.
    mutating func takeOut() -> (bytes: [UInt8], start: Int) {
        defer { bytes = [] }
        return (bytes, start)
    }

    mutating func putBack(_ bytes: [UInt8], from start: Int) {
        assert(self.bytes.isEmpty, "input came while input was taken")
        self.bytes = bytes
        self.start = start
    }

    /// Nothing waits any more.
    mutating func release() {
        bytes = []
        start = 0
        isHolding = false
    }
}
