/// Cuts a stream into pieces: whole, byte by byte, or in lengths that follow from a seed.
enum Cuts {
    case none
    case everywhere
    case seeded(UInt8)

    /// How much may be inflated in a turn, where that is bounded: up to `most`, and seldom so little
    /// that a message takes more than a thousand turns.
    func turnBytes(upTo most: Int) -> Int? {
        guard case .seeded(let seed) = self else { return nil }
        return max(Int(seed) * most >> 8, most >> 10, 1)
    }

    /// Calls `body` with each piece in turn, until it says that there is no use in more.
    func forEachPiece(of stream: [UInt8], _ body: (inout [UInt8]) -> Bool) {
        var start = 0
        var state: UInt8
        switch self {
        case .none: state = 0
        case .everywhere: state = 1
        case .seeded(let seed): state = seed | 1
        }
        repeat {
            let length =
                switch self {
                case .none: stream.count
                case .everywhere: 1
                case .seeded: Int(state) >> Int(state & 7) + 1
                }
            state = state &* 0x5D &+ 0x2B | 1
            let end = min(start + length, stream.count)
            // An array of its own for each piece: a read beyond it is a read out of bounds.
            var piece = Array(stream[start..<end])
            start = end
            if !body(&piece) { return }
        } while start < stream.count
    }
}
