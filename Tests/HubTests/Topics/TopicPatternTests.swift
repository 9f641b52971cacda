import Hub
import Testing

@Suite("TopicPattern")
struct TopicPatternTests {
    @Test(arguments: [
        ("news", "news", true), ("news", "new", false), ("news", "news/today", false),
        ("rooms/*", "rooms/kitchen", true), ("rooms/*", "rooms", false),
        ("rooms/*", "rooms/", true),
        ("rooms/*", "rooms/a/b", false), ("*", "anything", true), ("*", "a/b", false),
        ("*/log", "a/log", true), ("*/log", "a/b", false),
        ("rooms/**", "rooms/a/b", true), ("rooms/**", "rooms/a", true),
        ("rooms/**", "rooms", false),
        ("**", "a/b/c", true), ("**", "", true), ("**/a", "b/a", false), ("**/a", "**/a", true),
        ("é", "e\u{301}", false), ("e\u{301}", "e\u{301}", true),
    ])
    func `it means the topics it says`(pattern: String, topic: String, fits: Bool) {
        #expect(TopicPattern(pattern).fits(topic) == fits)
        #expect(TopicPattern(pattern).description == pattern)
    }
}
