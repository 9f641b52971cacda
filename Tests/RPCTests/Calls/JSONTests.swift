import Testing

@testable import RPC
@testable import RPCJSON

private struct Note: RPCJSONMessage, Equatable {
    var text: String
    var count: Int
}

/// Marks in another order than the canonical one, and a million of them: who sorts them does not
/// end within the suite's limit.
@Suite("Messages in JSON", .timeLimit(.minutes(1)))
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

    private static let marks = String(repeating: "\u{301}\u{323}", count: 1 << 19)
    private static let escaped = String(repeating: #"\u0301\u0323"#, count: 200_000)

    private func read(_ json: some Sequence<UInt8>) throws -> Note {
        try Note(decoding: Array(json).span.bytes)
    }

    @Test func `a key of a million marks is refused`() {
        let (marks, escaped) = (Self.marks, Self.escaped)
        for json in [
            #"{"a\#(marks)": 1, "text": "", "count": 1}"#,
            #"{"text": "", "count": 1, "b": [{"a\#(marks)" : {}}]}"#,
            #"{"a\#(escaped)": 1, "text": "", "count": 1}"#,
        ] {
            #expect(throws: DecodingError.self) { try read(json.utf8) }
        }
    }

    @Test func `JSON that is not UTF-8 is refused`() {
        let json = #"{"text": "", "count": 1, "a\#(Self.marks)": 1}"#
        let units = json.utf16.flatMap { [UInt8(truncatingIfNeeded: $0), UInt8($0 >> 8)] }
        #expect(throws: DecodingError.self) { try read(units) }
    }

    @Test func `text may be long, and so may a key that is ASCII`() throws {
        let long = String(repeating: "k", count: 100_000)
        let most = String(repeating: "é", count: 512)
        // The colon is none of a key's.
        let text = #"\\\" : \#(Self.marks)"#
        let note = try read(
            #"{"\#(long)": 1, "\#(most)": 2, "text": "\#(text)", "count": 3}"#.utf8)
        #expect(note.count == 3)
        #expect(note.text.utf8.count == text.utf8.count - 2)
        #expect(throws: DecodingError.self) {
            try read(#"{"\#(most)é": 2, "text": "", "count": 3}"#.utf8)
        }
    }
}
