import NetPollTesting
import Testing

@testable import Hub

@Suite("CursorWindow")
struct CursorWindowTests {
    private func window(_ keys: [String?], from start: UInt64 = 100) -> CursorWindow<Int> {
        var window = CursorWindow<Int>(end: start)
        for (number, key) in keys.enumerated() {
            window.append(number, bytes: 10, key: key.map(ExactName.init), conflates: true)
        }
        return window
    }

    private func held(_ window: CursorWindow<Int>) -> [Int] {
        window.indices.map { window[$0].message }
    }

    @Test func `a place is found in O(1), and its successor where it was dropped`() {
        var window = window([nil, nil, nil, nil])
        #expect(window[window.index(of: 102)].message == 2)
        window.drop(before: window.index(of: 102))
        #expect(window[window.index(of: 100)].message == 2)
        #expect(window.index(of: 104) == window.indices.upperBound)
        #expect(window.bytes == 20)
    }

    @Test func `of messages with one key only the latest stays when it is compacted`() {
        var window = window(["a", "b", nil, "a", "a"])
        #expect(window.indices.map { window[$0].isReplaced } == [true, false, false, true, false])
        window.compact()
        #expect(held(window) == [1, 2, 4])
        #expect(window.bytes == 30)
        #expect(window[window.index(of: 100)].place == 101)
        #expect(window[window.index(of: 103)].place == 104)
    }

    @Test func `volatile messages that are gone are still counted where they were`() {
        var window = window([nil, nil, nil, nil, nil, nil])
        window.dropVolatile(from: 101) { [1, 2, 4, 5].contains($0) }
        #expect(held(window) == [0, 3])
        #expect(window.bytes == 20)
        #expect(window.volatiles(from: 100, to: 106) == 4)
        #expect(window.volatiles(from: 102, to: 103) == 1)
        #expect(window.volatiles(from: 104, to: 106) == 2)
        window.append(6, bytes: 10, key: nil, conflates: false)
        #expect(window.volatiles(from: 104, to: 107) == 2)
        #expect(window.volatiles(from: 106, to: 107) == 0)
        window.dropVolatile(from: 106) { _ in true }
        #expect(window.volatiles(from: 103, to: 107) == 3)
        window.drop(before: window.indices.upperBound)
        #expect(window.volatiles(from: 104, to: 107) == 3)
        #expect(window.bytes == 0)
    }

    @Test func `what is kept is the newest within both bounds`() {
        let window = window([nil, nil, nil, nil, nil])
        #expect(window[window.firstKept(messagesMax: 3, bytesMax: 1_000)].message == 2)
        #expect(window[window.firstKept(messagesMax: 9, bytesMax: 20)].message == 3)
        #expect(window.firstKept(messagesMax: 5, bytesMax: 50) == window.indices.lowerBound)
        #expect(window.firstKept(messagesMax: 9, bytesMax: 9) == window.indices.upperBound)
    }

    @Test(arguments: 0..<100 as Range<UInt64>)
    func `whatever is appended, dropped and compacted, places keep their messages`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var window = CursorWindow<UInt64>(end: 7)
        for _ in 0..<300 {
            switch Int.random(in: 0..<8, using: &random) {
            case 0: window.compact()
            case 1:
                window.drop(
                    before: window.firstKept(
                        messagesMax: Int.random(in: 0..<20, using: &random), bytesMax: .max))
            case 2 where Int.random(in: 0..<5, using: &random) == 0: window.removeAll()
            default:
                let key = Int.random(in: 0..<6, using: &random)
                window.append(
                    window.end, bytes: 1, key: key == 0 ? nil : ExactName("\(key)"),
                    conflates: true)
            }
            let places = window.indices.map { window[$0].place }
            #expect(places == places.sorted(), "seed \(seed)")
            for index in window.indices {
                #expect(window[index].message == window[index].place, "seed \(seed)")
                #expect(window.index(of: window[index].place) == index, "seed \(seed)")
            }
            var latest: [ExactName: UInt64] = [:]
            for index in window.indices {
                if let key = window[index].key { latest[key] = window[index].place }
            }
            for index in window.indices {
                guard let key = window[index].key else { continue }
                #expect(
                    window[index].isReplaced == (latest[key] != window[index].place),
                    "seed \(seed)")
            }
            #expect(window.bytes == window.count, "seed \(seed)")
        }
    }
}
