/// How far a subscriber has come in its topic; 8 bytes.
///
///     live ──cannot take──▶ waiting ──passed by the window──▶ catchingUp
///       ▲                    │   ▲                                 │
///       └───has them all─────┘   └──────has all that is stored─────┘
struct Cursor: Hashable {
    enum State: Hashable {
        /// It has everything; what comes next is for it.
        case live
        /// The place in the live sequence of the first message it lacks, which the window holds or
        /// will get.
        case waiting(UInt64)
        /// The offset of the last stored message that it has; the window is past it.
        case catchingUp(UInt64)
    }

    private static let historyBit: UInt64 = 1 << 63
    static let live = Cursor(.live)
    /// It has messages of an earlier epoch only, and what it lacks of that is gone: no topic has as many
    /// messages, so that a gap is found.
    static let lost = Cursor(.catchingUp(1 << 62))

    private var bits: UInt64

    init(_ state: State) {
        switch state {
        case .live: bits = .max
        case .waiting(let place): bits = place
        case .catchingUp(let offset): bits = offset | Self.historyBit
        }
    }

    var isLive: Bool { bits == .max }

    var state: State {
        if bits == .max { return .live }
        return bits & Self.historyBit == 0 ? .waiting(bits) : .catchingUp(bits & ~Self.historyBit)
    }
}
