import NetPollTesting
import Testing

@testable import Hub

@Suite("Ring")
struct RingTests {
    @Test(arguments: 0..<50 as Range<UInt64>)
    func `it behaves as an array used as a queue`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var ring = Ring<Int>()
        var model: [Int] = []
        for step in 0..<2_000 {
            if Int.random(in: 0..<100, using: &random) < (step < 1_000 ? 60 : 40) {
                ring.append(step)
                model.append(step)
            } else {
                #expect(ring.popFirst() == (model.isEmpty ? nil : model.removeFirst()))
            }
            #expect(ring.count == model.count)
            if !model.isEmpty {
                let index = Int.random(in: 0..<model.count, using: &random)
                #expect(ring[index] == model[index])
            }
        }
    }

    @Test func `it keeps no element that was taken`() {
        final class Token {}
        var ring = Ring<Token>()
        weak var taken: Token?
        do {
            let token = Token()
            taken = token
            ring.append(token)
            ring.popFirst()
        }
        #expect(taken == nil)
    }
}
