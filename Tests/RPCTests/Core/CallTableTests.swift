import NetPollTesting
import Testing

@testable import RPC

struct CallTableTests {
    @Test func `ids that rise are all in their places, whatever the order they end in`() {
        var table = CallTable()
        var random = SeededGenerator(seed: 1)
        var slots: [UInt32] = []
        var id: UInt32 = 1
        for _ in 0..<20_000 {
            if slots.count < 256 {
                let slot = table.insert()
                table.assign(id, to: slot)
                id += 2
                slots.append(slot)
            } else {
                // The oldest of eight, as answers come that are out of order by a little.
                slots[..<8].shuffle(using: &random)
                table.remove(slots.removeFirst())
            }
            let displaced = table.displaced
            #expect(displaced == 0)
        }
    }

    @Test(arguments: 0..<20) func `ids that collide are found until they end, and move back`(
        seed: Int
    ) {
        var table = CallTable()
        var model: [UInt32: UInt32] = [:]
        var random = SeededGenerator(seed: UInt64(seed))
        // Twenty-four ids for a few places, and as many of their own.
        let ids = (0..<24).map { UInt32($0) * 256 + 1 } + (0..<24).map { UInt32($0) * 2 + 1 }
        for _ in 0..<2_000 {
            guard let id = ids.randomElement(using: &random) else { return }
            if let slot = model.removeValue(forKey: id) {
                table.remove(slot)
            } else {
                let slot = table.insert()
                table.assign(id, to: slot)
                model[id] = slot
            }
            for id in ids {
                let slot = table.slot(id: id)
                // Compared before: an expectation costs more than all the rest.
                if slot != model[id] { Issue.record("\(id), seed \(seed)") }
            }
        }
        for slot in model.values { table.remove(slot) }
        let (count, displaced) = (table.count, table.displaced)
        #expect(count == 0)
        #expect(displaced == 0)
    }
}
