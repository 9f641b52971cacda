import Testing

@testable import ChatServer

@Suite("ChatRules, PROTOCOL.md limits")
struct ChatRulesTests {
    private let rules = ChatRules(limits: ChatLimits())

    /// The code that `check` fails with, or `nil`.
    private func code(_ check: () throws(ChatError) -> Void) -> ChatError.Code? {
        do throws(ChatError) {
            try check()
            return nil
        } catch {
            return error.code
        }
    }

    @Test(arguments: [
        "a", "Ada", "Grace Hopper", "李雷", "Åse", "👩‍🚀", "a-b_c.d", "<b>",
        String(repeating: "x", count: 32), String(repeating: "😀", count: 32),
    ])
    func `a name may be anything that can be read`(name: String) {
        #expect(code { () throws(ChatError) in try rules.check(name: name) } == nil)
    }

    @Test(arguments: [
        "", " ", " a", "a ", "a\n", "a\u{0}b", "\u{202E}abc", "a\u{200B}b", "a\u{2028}b",
        "\u{200D}a", "a\u{200D}", "\u{FEFF}a", String(repeating: "x", count: 33),
    ])
    func `a name may not be empty, too long, or hide something`(name: String) {
        #expect(code { () throws(ChatError) in try rules.check(name: name) } == .badName)
    }

    @Test(arguments: ["a", "lobby", "Swift_6.3-beta", "комната", "会议室", "é", "１"])
    func `a room is letters, digits and three marks`(room: String) {
        #expect(code { () throws(ChatError) in try rules.check(room: room) } == nil)
    }

    @Test(arguments: [
        "", " ", "a b", "#a", "a/b", "a\n", "😀", "a\u{200D}b", "<script>",
        String(repeating: "x", count: 33),
    ])
    func `a room with anything else is refused`(room: String) {
        #expect(code { () throws(ChatError) in try rules.check(room: room) } == .badRoom)
    }

    @Test func `a text has something to read and an end`() {
        let longest = String(repeating: "😀", count: 2_000)
        for text in ["x", " x ", "a\nb", longest] {
            #expect(code { () throws(ChatError) in try rules.check(text: text) } == nil)
        }
        for text in ["", " ", "\n\t\u{3000}", longest + "x"] {
            #expect(code { () throws(ChatError) in try rules.check(text: text) } == .badText)
        }
    }

    @Test func `a ref is optional and short`() {
        for ref in [nil, "", String(repeating: "x", count: 40)] {
            #expect(code { () throws(ChatError) in try rules.check(ref: ref) } == nil)
        }
        let long = String(repeating: "x", count: 41)
        #expect(code { () throws(ChatError) in try rules.check(ref: long) } == .badRef)
    }
}
