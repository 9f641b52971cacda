import Testing

@testable import ChatServer

@Suite("ClientMessage, PROTOCOL.md")
struct ClientMessageTests {
    private func parsed(_ json: String) throws(ChatError) -> ClientMessage {
        try ClientMessage(json: Array(json.utf8).span.bytes)
    }

    @Test(arguments: [
        (#"{"type":"hello","version":1,"name":"Ada"}"#, #"hello(version: 1, name: "Ada")"#),
        (#"{"type":"join","room":"a"}"#, #"join(room: "a", epoch: nil, offset: nil)"#),
        (
            #"{"type":"join","room":"a","epoch":"x1","offset":7}"#,
            #"join(room: "a", epoch: Optional("x1"), offset: Optional(7))"#
        ),
        (
            #"{"type":"join","room":"a","epoch":null,"offset":null}"#,
            #"join(room: "a", epoch: nil, offset: nil)"#
        ),
        (#"{"type":"leave","room":"a","more":[{}]}"#, #"leave(room: "a")"#),
        (
            #" {"ref":"r","text":"\u00e9\n","room":"a","type":"send"} "#,
            #"send(room: "a", text: "é\n", ref: Optional("r"))"#
        ),
        (#"{"type":"typing","room":"a","typing":true}"#, #"typing(room: "a", isTyping: true)"#),
        (#"{"type":"rooms","version":"ignored here"}"#, "rooms"),
        (#"{"type":"ping"}"#, "ping(ref: nil)"),
    ])
    func `a message of each type is understood`(json: String, message: String) throws {
        #expect(String(describing: try parsed(json)) == message)
    }

    @Test(arguments: [
        "", "x", "{", "[]", "null", "1", #""hello""#, "{}", #"{"type":1}"#, #"{"type":null}"#,
        #"{"type":"hello"}"#, #"{"type":"hello","version":"1","name":"a"}"#,
        #"{"type":"join"}"#, #"{"type":"join","room":1}"#,
        #"{"type":"join","room":"a","offset":-1}"#, #"{"type":"join","room":"a","offset":1.5}"#,
        #"{"type":"send","room":"a"}"#, #"{"type":"send","room":"a","text":"x","ref":1}"#,
        #"{"type":"typing","room":"a","typing":1}"#, #"{"type":"ping"} {"type":"ping"}"#,
        String(repeating: "[", count: 10_000),
    ])
    func `what is no message says so`(json: String) {
        #expect { try parsed(json) } throws: { ($0 as? ChatError)?.code == .badJSON }
    }

    @Test func `an unknown type has an error of its own`() {
        #expect { try parsed(#"{"type":"shout"}"#) } throws: {
            ($0 as? ChatError)?.code == .unknownType
        }
    }
}
