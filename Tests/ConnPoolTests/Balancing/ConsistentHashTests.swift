import NetPollTesting
import Testing

@testable import ConnPool

@Suite("Consistent hashing")
struct ConsistentHashTests {
    private static let keys = (0..<10_000).map { AffinityKey("key \($0)") }

    private static func owners(_ world: PolicyWorld) -> [Int?] {
        keys.map { world.pick(key: $0) }
    }

    @Test func `equal keys go to the same endpoint`() {
        let world = PolicyWorld(.consistentHash, weights: Array(repeating: 1, count: 10))
        #expect(Self.owners(world) == Self.owners(world))
        let other = PolicyWorld(.consistentHash, weights: Array(repeating: 1, count: 10), seed: 9)
        #expect(Self.owners(world) == Self.owners(other), "in every pool with these endpoints")
    }

    @Test func `a text, its bytes and its hash are the same in every process`() {
        let text = "user:4711"
        #expect(AffinityKey(text) == AffinityKey(Array(text.utf8).span.bytes))
        #expect(AffinityKey(text) == AffinityKey(Substring(text)))
        // FNV-1a of the empty text is its offset basis; of "a" as published.
        #expect(AffinityKey("").hash == AffinityKey.mixed(0xcbf2_9ce4_8422_2325))
        #expect(AffinityKey("a").hash == AffinityKey.mixed(0xaf63_dc4c_8601_ec8c))
        // The first output of SplitMix64 from the seed 0.
        #expect(AffinityKey(0).hash == 0xe220_a839_7b1d_cdaf)
    }

    @Test func `an endpoint more takes its share and moves nothing else`() {
        let world = PolicyWorld(.consistentHash, weights: Array(repeating: 1, count: 10))
        let before = Self.owners(world)
        let added = world.add()
        let after = Self.owners(world)
        let moved = zip(before, after).filter { $0 != $1 }
        #expect(moved.allSatisfy { $0.1 == added.slot })
        // A share is 909 of 10,000 keys, give or take three times the 8 % of 160 points.
        #expect((690...1_130).contains(moved.count), "\(moved.count) keys moved")
        world.core.removed(added)
        #expect(Self.owners(world) == before)
    }

    @Test func `keys of an endpoint that goes are spread, others stay`() {
        let world = PolicyWorld(.consistentHash, weights: Array(repeating: 1, count: 10))
        let before = Self.owners(world)
        world.core.removed(world.ids[3])
        let after = Self.owners(world)
        #expect(zip(before, after).allSatisfy { $0 == $1 || $0 == 3 })
        let heirs = Set(zip(before, after).filter { $0.0 == 3 }.map(\.1))
        #expect(heirs.count == 9, "each other has some: \(heirs)")
    }

    @Test func `more weight takes keys and gives none`() {
        let light = PolicyWorld(.consistentHash, weights: [1, 1, 1])
        let heavy = PolicyWorld(.consistentHash, weights: [1, 2, 1])
        let moved = zip(Self.owners(light), Self.owners(heavy)).filter { $0 != $1 }
        #expect(moved.allSatisfy { $0.1 == 1 })
        // From a third of the keys to a half.
        #expect((1_200...2_200).contains(moved.count), "\(moved.count) keys moved")
    }

    @Test(arguments: [1.1, 1.25, 2], 0..<5 as Range<UInt64>)
    func `no load is above its bound, also where all ask for one key`(
        factor: Double, seed: UInt64
    ) throws {
        let weights = [1, 2, 3, 4, 5]
        let world = PolicyWorld(ConsistentHashPolicy(loadFactor: factor), weights: weights)
        var random = SeededGenerator(seed: seed)
        for count in 1...500 {
            let key = Bool.random(using: &random) ? AffinityKey("hot") : AffinityKey(random.next())
            let id = try #require(world.lease(key: key))
            let bound = (factor * Double(count) * Double(weights[id.slot]) / 15).rounded(.up)
            #expect(Double(world.core.candidates[id.slot].inFlight) <= bound, "seed \(seed)")
        }
    }

    @Test func `a hot key overflows to the same neighbours and comes home`() throws {
        let world = PolicyWorld(.consistentHash, weights: Array(repeating: 1, count: 5))
        let key = AffinityKey("hot")
        let home = try #require(world.pick(key: key))
        let leases = try (0..<5).map { _ in try #require(world.lease(key: key)) }
        // 1.25 · 1…5 / 5, rounded up: one each, or two from the fifth on.
        #expect(Set(leases.map(\.slot)).count >= 4)
        #expect(leases[0].slot == home)
        for lease in leases { world.core.released(lease) }
        #expect(world.pick(key: key) == home)
    }

    @Test func `an ejected endpoint's keys come back with it`() {
        let world = PolicyWorld(.consistentHash, weights: [1, 1, 1, 1]) {
            $0.ejection = OutlierEjection()
        }
        let before = Self.owners(world)
        for _ in 0..<5 { world.fail(world.ids[2]) }
        let during = Self.owners(world)
        #expect(!during.contains(2))
        #expect(zip(before, during).allSatisfy { $0 == $1 || $0 == 2 })
        world.now += .seconds(30)
        #expect(Self.owners(world) == before)
    }

    @Test func `keys come to an endpoint one after another while it starts slowly`() {
        let world = PolicyWorld(.consistentHash, weights: [1, 1, 1, 1]) {
            $0.slowStart = SlowStart(window: .seconds(10), shareMin: 0.1)
        }
        world.now = .seconds(20)
        _ = world.pick()
        let added = world.add()
        var owned: Set<Int> = []
        var shares: [Int] = []
        for second in [0, 3, 6, 10] {
            world.now = .seconds(20 + second)
            let now = Set(Self.owners(world).enumerated().filter { $1 == added.slot }.map(\.0))
            #expect(now.isSuperset(of: owned), "what came stays")
            owned = now
            shares.append(now.count)
        }
        let whole = Double(shares[3])
        #expect((0.05...0.15).contains(Double(shares[0]) / whole), "\(shares)")
        #expect((0.25...0.35).contains(Double(shares[1]) / whole), "\(shares)")
        #expect((0.55...0.65).contains(Double(shares[2]) / whole), "\(shares)")
    }

    @Test func `limits that make no sense trap`() async {
        await #expect(processExitsWith: .failure) { _ = ConsistentHashPolicy(loadFactor: 1) }
        await #expect(processExitsWith: .failure) { _ = ConsistentHashPolicy(pointsPerWeight: 0) }
    }
}
