import NetPoll
import Testing

@Suite("How many connections a ready listener accepts")
struct AcceptBatchTests {
    @Test func `one at a time finds no connection missing where one comes at a time`() {
        var batch = AcceptBatch()
        var foundNone = 0
        for _ in 0..<1_000 {
            // One waits each time: an accept too many is one that finds none.
            let accepted = min(batch.size, 1)
            foundNone += accepted < batch.size ? 1 : 0
            batch.ended(accepted: accepted, foundNone: accepted < batch.size)
        }
        #expect(foundNone <= 250)
    }

    @Test func `batches grow with what waits, and shrink to what came`() {
        var batch = AcceptBatch()
        var turns = 0
        while batch.size < 64 {
            batch.ended(accepted: batch.size, foundNone: false)
            turns += 1
        }
        #expect(turns == 24)
        batch.ended(accepted: 5, foundNone: true)
        #expect(batch.size == 5)
        batch.ended(accepted: 0, foundNone: true)
        #expect(batch.size == 1)
    }

    @Test func `a batch that a rate cut short says nothing about what waits`() {
        var batch = AcceptBatch()
        for _ in 0..<8 { batch.ended(accepted: batch.size, foundNone: false) }
        let size = batch.size
        for _ in 0..<100 { batch.ended(accepted: size - 1, foundNone: false) }
        #expect(batch.size == size)
    }
}
