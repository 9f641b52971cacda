/// A set of event loops by index, without an allocation.
struct LoopSet: Sequence {
    /// The most loops a hub can be spread over.
    static let loopsMax = 256

    private var words: InlineArray<4, UInt64> = .init(repeating: 0)

    var isEmpty: Bool {
        words[0] | words[1] | words[2] | words[3] == 0
    }

    mutating func insert(_ loop: Int) {
        words[loop >> 6] |= 1 << UInt64(loop & 63)
    }

    func contains(_ loop: Int) -> Bool {
        words[loop >> 6] & (1 << UInt64(loop & 63)) != 0
    }

    func makeIterator() -> Iterator {
        Iterator(rest: words)
    }

    struct Iterator: IteratorProtocol {
        fileprivate var rest: InlineArray<4, UInt64>
        private var word = 0

        fileprivate init(rest: InlineArray<4, UInt64>) {
            self.rest = rest
        }

        mutating func next() -> Int? {
            while word < 4 {
                let bits = rest[word]
                if bits != 0 {
                    rest[word] = bits & (bits - 1)
                    return word << 6 + bits.trailingZeroBitCount
                }
                word += 1
            }
            return nil
        }
    }
}
