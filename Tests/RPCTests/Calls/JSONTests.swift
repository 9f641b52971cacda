import Testing

@testable import RPC
@testable import RPCJSON

private struct Note: RPCJSONMessage, Equatable {
    var text: String
    var count: Int
}

@Suite("Messages in JSON")
struct JSONTests {
    @Test func `a message is read as it was written`() throws {
        let note = Note(text: "é", count: 3)
        var payload = PayloadWriter()
        try note.encode(to: &payload)
        let read = try payload.withSpan { try Note(decoding: $0) }
        #expect(read == note)
    }

    @Test func `what is no JSON of that message is refused`() {
        for text in ["", "{", "{}", "[1]"] {
            let bytes = Array(text.utf8)
            #expect(throws: DecodingError.self) { try Note(decoding: bytes.span.bytes) }
        }
    }
}
