import NetPollTesting
import Testing

@testable import Hub

@Suite("PresenceSet, sampled")
struct SampledPresenceTests {
    @Test func `the first are told by name, and the others are counted`() {
        var presence = PresenceSet(mode: .sampled(2))
        for user in ["a", "b", "c", "d"] { _ = presence.joined(user) }
        #expect(
            presence.takeChanges(max: 10)
                == PresenceChanges(joined: ["a", "b"], left: [], count: 4))
        #expect(presence.changesPublished() == false)
        #expect(presence.users(max: 10).sorted() == ["a", "b"])
        #expect(presence.joined("e") == true)
        #expect(presence.takeChanges(max: 10) == PresenceChanges(joined: [], left: [], count: 5))
    }

    @Test func `who leaves the sample is replaced`() {
        var presence = PresenceSet(mode: .sampled(2))
        for user in ["a", "b", "c"] { _ = presence.joined(user) }
        _ = presence.takeChanges(max: 10)
        _ = presence.changesPublished()
        #expect(presence.left("a") == true)
        #expect(
            presence.takeChanges(max: 10) == PresenceChanges(joined: ["c"], left: ["a"], count: 2))
        #expect(presence.users(max: 10).sorted() == ["b", "c"])
    }

    @Test(arguments: 0..<50 as Range<UInt64>)
    func `who applies the changes knows the sample and the count`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var presence = PresenceSet(mode: .sampled(3))
        var there: [String: Int] = [:]
        var known: Set<String> = []
        var isAsked = false
        for _ in 0..<300 {
            let user = "u\(Int.random(in: 0..<8, using: &random))"
            if Bool.random(using: &random) {
                there[user, default: 0] += 1
                isAsked = presence.joined(user) || isAsked
            } else if let count = there[user] {
                there[user] = count > 1 ? count - 1 : nil
                isAsked = presence.left(user) || isAsked
            }
            guard isAsked, Int.random(in: 0..<4, using: &random) == 0 else { continue }
            repeat {
                let changes = presence.takeChanges(max: 2)
                known.formUnion(changes.joined)
                known.subtract(changes.left)
                #expect(changes.count == there.count, "seed \(seed)")
                isAsked = presence.changesPublished()
            } while isAsked
            #expect(known == Set(presence.users(max: 10)), "seed \(seed)")
            #expect(known.count == min(3, there.count), "seed \(seed)")
            #expect(known.isSubset(of: there.keys), "seed \(seed)")
        }
    }
}
