import NetPollTesting
import Testing

@testable import Hub

@Suite("PresenceSet")
struct PresenceSetTests {
    @Test func `a user with several sessions comes once and goes with the last`() {
        var presence = PresenceSet()
        #expect(presence.joined("ada") == true)
        #expect(presence.joined("ada") == false)
        #expect(presence.count == 1)
        #expect(
            presence.takeChanges(max: 10) == PresenceChanges(joined: ["ada"], left: [], count: 1))
        #expect(presence.changesPublished() == false)
        #expect(presence.left("ada") == false)
        #expect(presence.count == 1)
        #expect(presence.left("ada") == true)
        #expect(
            presence.takeChanges(max: 10) == PresenceChanges(joined: [], left: ["ada"], count: 0))
    }

    @Test func `a burst of changes asks once to be taken`() {
        var presence = PresenceSet()
        #expect(presence.joined("b") == true)
        #expect(presence.joined("a") == false)
        #expect(presence.left("b") == false)
        #expect(
            presence.takeChanges(max: 10) == PresenceChanges(joined: ["a"], left: ["b"], count: 1))
    }

    @Test func `what changes while a notice is on its way is told in the next`() {
        var presence = PresenceSet()
        #expect(presence.joined("a") == true)
        _ = presence.takeChanges(max: 10)
        #expect(presence.left("a") == false)
        #expect(presence.changesPublished() == true)
        #expect(presence.takeChanges(max: 10) == PresenceChanges(joined: [], left: ["a"], count: 0))
        #expect(presence.changesPublished() == false)
        #expect(presence.joined("a") == true)
    }

    @Test func `changes that were not published are told again`() {
        var presence = PresenceSet()
        _ = presence.joined("a")
        let changes = presence.takeChanges(max: 10)
        presence.restore(changes)
        #expect(presence.changesPublished() == true)
        #expect(presence.takeChanges(max: 10) == changes)
    }

    @Test func `a notice names so many users, and the rest are in the next ones`() {
        var presence = PresenceSet()
        for user in ["e", "d", "c", "b", "a"] { _ = presence.joined(user) }
        _ = presence.left("d")
        #expect(
            presence.takeChanges(max: 2) == PresenceChanges(joined: ["e"], left: ["d"], count: 4))
        #expect(presence.changesPublished() == true)
        #expect(presence.left("e") == false)
        #expect(
            presence.takeChanges(max: 2) == PresenceChanges(joined: ["b", "c"], left: [], count: 3))
        #expect(presence.changesPublished() == true)
        #expect(
            presence.takeChanges(max: 2) == PresenceChanges(joined: ["a"], left: ["e"], count: 3))
        #expect(presence.changesPublished() == false)
    }

    @Test(arguments: [PresenceMode.count, .sampled(0)])
    func `a count that could not be told is told next time`(mode: PresenceMode) {
        var presence = PresenceSet(mode: mode)
        #expect(presence.joined("a") == true)
        presence.restore(presence.takeChanges(max: 10))
        #expect(presence.changesPublished() == true)
        #expect(presence.takeChanges(max: 10).count == 1)
        #expect(presence.changesPublished() == false)
    }

    @Test func `leaving without having come changes nothing`() {
        var presence = PresenceSet()
        #expect(presence.left("a") == false)
        #expect(presence.count == 0)
    }

    @Test(arguments: 0..<100 as Range<UInt64>)
    func `a watcher that applies the notices knows who is there`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var presence = PresenceSet()
        var sessions: [String: Int] = [:]
        var watched: Set<String> = []
        var asked = false
        for _ in 0..<400 {
            let user = "u\(Int.random(in: 0..<6, using: &random))"
            switch Int.random(in: 0..<5, using: &random) {
            case 0, 1:
                sessions[user, default: 0] += 1
                if presence.joined(user) {
                    #expect(!asked)
                    asked = true
                }
            case 2, 3:
                guard let count = sessions[user] else { continue }
                sessions[user] = count == 1 ? nil : count - 1
                if presence.left(user) {
                    #expect(!asked)
                    asked = true
                }
            default:
                guard asked else { continue }
                let changes = presence.takeChanges(max: Int.random(in: 1...4, using: &random))
                watched.formUnion(changes.joined)
                watched.subtract(changes.left)
                // A newcomer's snapshot may be taken at any time.
                if Bool.random(using: &random) { watched = Set(presence.users(max: .max)) }
                asked = presence.changesPublished()
            }
        }
        while asked {
            let changes = presence.takeChanges(max: 10)
            watched.formUnion(changes.joined)
            watched.subtract(changes.left)
            asked = presence.changesPublished()
        }
        #expect(watched == Set(sessions.keys))
        #expect(presence.count == sessions.count)
    }
}
