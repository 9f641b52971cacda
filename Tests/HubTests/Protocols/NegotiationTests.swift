import Hub
import Testing

@Suite("Which protocol a client gets, on the simulated network")
struct NegotiationTests {
    @Test(arguments: [
        ("longwire.v2.json, longwire.v1.msgpack,longwire.v1.json", "longwire.v1.msgpack"),
        ("longwire.v1.json", "longwire.v1.json"), ("Longwire.v1.json", nil),
        ("longwire.v2.json", nil), ("", nil),
    ])
    func `it is the first that it asks for and the hub speaks, and named in the answer`(
        asked: String, named: String?
    ) async throws {
        let bench = try await DoorBench {
            $0.protocols = [RawProtocol(), JSONProtocol(), MessagePackProtocol()]
        }
        let field = asked.isEmpty ? "" : "Sec-WebSocket-Protocol: \(asked)\r\n"
        let answer = try bench.answer(to: "/ws?token=ann", field)
        #expect(answer.hasPrefix("HTTP/1.1 101 "))
        let lines = answer.split(separator: "\r\n").map(String.init)
        let names = lines.filter { $0.hasPrefix("Sec-WebSocket-Protocol: ") }
        #expect(names == (named.map { ["Sec-WebSocket-Protocol: \($0)"] } ?? []))
    }
}
