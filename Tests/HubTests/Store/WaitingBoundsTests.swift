import Testing

@testable import Hub

@Suite("WaitingBounds")
struct WaitingBoundsTests {
    @Test(arguments: [(nil, 100), (1_000, 100), (200, 50)] as [(Int?, Int)])
    func `bytes are bounded, by a quarter of the memory ceiling at most`(
        ceiling: Int?, most: Int
    ) {
        let bounds = WaitingBounds(
            itemsMax: 1, bytesMax: 100, ledger: MemoryLedger(bytesMax: ceiling))
        #expect(bounds.hasRoom(for: most - 10, beside: 10))
        #expect(!bounds.hasRoom(for: most - 9, beside: 10))
        // What is alone, or counts nothing, always finds room.
        #expect(bounds.hasRoom(for: most + 1, beside: 0))
        #expect(bounds.hasRoom(for: 0, beside: most + 1))
    }

    @Test func `a quarter of the bound is left where memory is short`() {
        let ledger = MemoryLedger(bytesMax: 1_000)
        let bounds = WaitingBounds(itemsMax: 1, bytesMax: 100, ledger: ledger)
        ledger.add(1_000)
        #expect(bounds.hasRoom(for: 15, beside: 10))
        #expect(!bounds.hasRoom(for: 16, beside: 10))
    }
}
