import Testing

@testable import Hub

@Suite("SessionTable")
struct SessionTableTests {
    private final class Item {}

    @Test func `an id finds its session until that is removed, and nothing after`() {
        var table = SessionTable<Item>(loop: 3)
        let item = Item()
        let id = table.insert(item)
        #expect(table[id] === item)
        #expect(table.count == 1)
        table.remove(id)
        #expect(table[id] == nil)
        let next = table.insert(Item())
        #expect(next != id)
        #expect(table[id] == nil)
        #expect(table[next] != nil)
    }

    @Test func `removing twice removes nobody else`() {
        var table = SessionTable<Item>(loop: 0)
        let first = table.insert(Item())
        table.remove(first)
        let second = table.insert(Item())
        table.remove(first)
        #expect(table[second] != nil)
        #expect(table.count == 1)
    }

    @Test func `an id of another loop is unknown`() {
        var here = SessionTable<Item>(loop: 0)
        var there = SessionTable<Item>(loop: 1)
        let id = there.insert(Item())
        _ = here.insert(Item())
        #expect(here[id] == nil)
    }

    @Test func `the places of sessions that ended are used again`() {
        var table = SessionTable<Item>(loop: 0)
        var seen: Set<SessionID> = []
        for _ in 0..<1_000 {
            let id = table.insert(Item())
            #expect(seen.insert(id).inserted)
            #expect(id.slot == 0)
            table.remove(id)
        }
        #expect(table.count == 0)
    }
}
