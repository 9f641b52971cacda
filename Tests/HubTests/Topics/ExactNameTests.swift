import Testing

@testable import Hub

@Suite("ExactName", .timeLimit(.minutes(10)))
struct ExactNameTests {
    @Test func `two spellings that String takes for one are two names`() {
        let composed = "caf\u{e9}"
        let decomposed = "cafe\u{301}"
        #expect(composed == decomposed)
        #expect(ExactName(composed) != ExactName(decomposed))
        #expect(ExactName(composed) == ExactName(composed))
        #expect(Set([composed, decomposed, composed].map(ExactName.init)).count == 2)
    }

    @Test func `names are in the order of their bytes`() {
        let names = ["b", "", "\u{e9}", "e\u{301}", "ab", "a"].map(ExactName.init).sorted()
        #expect(
            names.map { Array($0.string.utf8) }
                == ["", "a", "ab", "b", "e\u{301}", "\u{e9}"].map { Array($0.utf8) })
    }

    @Test func `long runs of marks take no more time than other bytes`() {
        let marks = String(repeating: "\u{323}\u{301}", count: 100_000)
        let names = Set((0..<10).map { ExactName(marks + "\($0)") })
        #expect(names.contains(ExactName(marks + "7")))
        #expect(!names.contains(ExactName(marks)))
    }
}

@Suite("TopicRegistry, names")
struct TopicRegistryNameTests {
    @Test func `a topic keeps to the spelling it was asked for by`() throws {
        let registry = TopicRegistry(topicsMax: 10) { name in
            Topic(name: name, epoch: .random(), shards: [], limits: .init(), protocols: 1)
        }
        let composed = try #require(registry.topic(named: "\u{e9}"))
        #expect(registry.existingTopic(named: "e\u{301}") == nil)
        let decomposed = try #require(registry.topic(named: "e\u{301}"))
        #expect(composed !== decomposed)
        #expect(registry.topic(named: "\u{e9}") === composed)
        #expect(Array(decomposed.name.utf8) == Array("e\u{301}".utf8))
    }
}
