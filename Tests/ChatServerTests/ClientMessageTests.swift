import Testing

@testable import ChatServer

/// Marks that normalisation sorts, which takes quadratic time: minutes for so many.
private let marks = String(repeating: "\u{323}\u{301}", count: 7_500)

@Suite("ClientMessage, PROTOCOL.md", .timeLimit(.minutes(10)))
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

    @Test(arguments: [
        #"{"\#(marks)":1,"\#(marks)x":1,"type":"ping"}"#,
        #"{"type":"ping","more":{"\#(marks)":1}}"#,
        #"{"type":"ping","é":1}"#,
        "{\"type\":\"ping\",\"é\" \n\t :1}",
        #"{"type":"ping","\#(String(repeating: "k", count: 33))":1}"#,
        #"{"type":"ping","\#(String(repeating: "\\u0323", count: 6))":1}"#,
        #"{"type":"ping","\"é":1}"#,
        #"{"type":"ping"\#((0..<16).map { #","k\#($0)":1"# }.joined())}"#,
        #"{"type":"ping","more":[[[[]]]]}"#,
    ])
    func `fields that only cost time are refused before they are read`(json: String) {
        #expect { try parsed(json) } throws: { ($0 as? ChatError)?.code == .badJSON }
    }

    @Test(arguments: [
        #"{"type":"ping","\#(String(repeating: "k", count: 32))":1}"#,
        #"{"type":"ping"\#((0..<15).map { #","k\#($0)":1"# }.joined())}"#,
        #"{"type":"ping","more":[[[]]]}"#,
        #"{"type":"ping","more":["é","\#(marks)","a\":\u00e9:"]}"#,
        #"{"type":"ping","more":"é\\"}"#,
    ])
    func `fields that are not known are ignored up to the limits`(json: String) throws {
        #expect(String(describing: try parsed(json)) == "ping(ref: nil)")
    }

    @Test(arguments: [
        "\(marks)", "shout\(marks)", "ping\u{323}", String(repeating: "x", count: 41),
    ])
    func `a type that cannot be known is not compared with those that are`(type: String) {
        #expect { try parsed(#"{"type":"\#(type)"}"#) } throws: {
            let error = $0 as? ChatError
            return error?.code == .unknownType && error?.message == "unknown type"
        }
    }

    @Test func `an unknown type has an error of its own`() {
        #expect { try parsed(#"{"type":"shout"}"#) } throws: {
            ($0 as? ChatError)?.code == .unknownType
        }
    }
}
