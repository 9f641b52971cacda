import Testing

@testable import RPC

/// Marks in another order than the canonical one, and a million of them: who sorts them, to compare
/// text by canonical equivalence, does not end within the suite's limit.
@Suite("Text of peers that would take long to compare", .timeLimit(.minutes(1)))
struct HostileTextTests {
    private let marks = "a" + String(repeating: "\u{301}\u{323}", count: 1 << 19)

    @Test func `metadata are found beside a key of a million marks`() {
        let metadata: RPCMetadata = [marks: "1", "n": "2"]
        #expect(metadata["n"] == "2")
        #expect(metadata["a"] == nil)
        let isFound = metadata[marks] == "1"
        #expect(isFound)
    }

    @Test func `metadata are compared by their bytes`() {
        let long: RPCMetadata = [marks: marks]
        let again: RPCMetadata = [marks: marks]
        let isOther = long != ["n": "2"] && long != [:] && long != ["a": "1"]
        let isSame = long == again && long.hashValue == again.hashValue
        #expect(isOther && isSame)
        #expect(["\u{e9}": "1"] as RPCMetadata != ["e\u{301}": "1"])
        #expect(["n": "\u{e9}"] as RPCMetadata != ["n": "e\u{301}"])
        #expect(["ab": "c"] as RPCMetadata != ["a": "bc"])
    }

    @Test func `a service of a million marks is unknown`() throws {
        let health = try RPCWorld().server.health
        health["test.Echo"] = .serving
        health["\u{e9}"] = .serving
        #expect(health[marks] == .serviceUnknown)
        #expect(health["\u{e9}"] == .serving)
        #expect(health["e\u{301}"] == .serviceUnknown)
    }

    @Test func `a detail of a million marks is no error of the program's`() {
        let error = RPCError(.aborted, details: [.init(typeURL: marks, value: [])])
        #expect(error.typed(Known.self) == nil)
    }

    private struct Known: RPCTypedError, Equatable {
        static let typeURL = "a.example/Known"
        var code: StatusCode { .aborted }

        init(decoding payload: RawSpan) {}

        func encode(to payload: inout PayloadWriter) {}
    }
}
