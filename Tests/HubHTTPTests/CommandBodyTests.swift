import Hub
import HubHTTP
import HubTesting
import NetPollTesting
import Testing
import WSFrame

@Suite("Bodies of commands")
struct CommandBodyTests {
    private func reason(_ json: [UInt8]) -> CommandFailure.Reason? {
        do throws(CommandFailure) {
            _ = try PublishCommand(json: json)
            return nil
        } catch {
            return error.reason
        }
    }

    private func reason(data: String) -> CommandFailure.Reason? {
        reason(Array(#"{"topic":"a","data":\#(data)}"#.utf8))
    }

    @Test(arguments: [
        "-", "1e", "1.", "00012", "1-2", #""\q""#, #""\uD800""#, #""\uD800\u0041""#,
        "\"a\u{1}b\"", "\"a\nb\"", "[1,]", #"{"a":1,}"#, "nul", "+1", ".5", "[1 2]", "1 2", "",
        "NaN",
    ])
    func `data that is no JSON is refused, and not passed on to those who would choke on it`(
        data: String
    ) {
        #expect(reason(data: data) == .malformed)
    }

    @Test(arguments: [
        "null", "-0", "1E400", "123456789012345678901234567890", #""\uD83D\ude00 \u0000""#, "[]",
        #"{"a":1,"a":2}"#, " [ { } ] ", #""\/é""#,
    ])
    func `data that is JSON is taken as it stands`(data: String) throws {
        let command = try PublishCommand(json: Array(#"{"topic":"a","data":\#(data)}"#.utf8))
        let bare = data.filter { $0 != " " || data.first == "\"" }
        #expect(command.message.payload.text.filter { $0 != " " || data.first == "\"" } == bare)
    }

    @Test(arguments: [[0xff, 0xfe], [0xed, 0xa0, 0x80], [0xc0, 0x80], [0xf4, 0x90, 0x80, 0x80]])
    func `data that is no UTF-8 is refused, which would end the connections of who gets it`(
        bytes: [UInt8]
    ) {
        let body = Array(#"{"topic":"a","data":""#.utf8) + bytes + Array(#""}"#.utf8)
        #expect(reason(body) == .malformed)
    }

    @Test(arguments: [
        #"{"topic":"a","topic":"b","text":"x"}"#, #"{"topic":"a","data":1,"data":2}"#,
        #"{"topic":"a","t\u006fpic":"b","text":"x"}"#, #"{"topic":"a","text":"x"} x"#,
        #"{"topic":"a","text":"x"}{}"#, "\u{feff}{\"topic\":\"a\",\"text\":\"x\"}",
        #"[{"topic":"a","text":"x"}]"#, "{\u{0}",
    ])
    func `what two readers could take for two things is refused`(body: String) {
        #expect(reason(Array(body.utf8)) == .malformed)
    }

    @Test func `a body in another encoding than UTF-8 is refused`() {
        let body = #"{"topic":"a","text":"x"}"#
        #expect(reason(body.utf16.flatMap { [UInt8($0 & 0xff), UInt8($0 >> 8)] }) == .malformed)
        #expect(reason(Array(body.utf8)) == nil)
    }

    @Test(arguments: [
        #"{"user":"a","text":"x","delivery":"now","idempotency_key":"k"}"#,
        #"{"user":"a","text":"x","delivery":"now","ttl":5}"#,
    ])
    func `what only an inbox can keep is refused for what is kept by nobody`(body: String) {
        #expect(throws: CommandFailure.self) { try SendCommand(json: Array(body.utf8)) }
    }

    @Test(arguments: [
        ("publish", #"{"topic":"NAME","text":"x"}"#, 200),
        ("publish", #"{"topic":"a","text":"x","event":"NAME"}"#, 200),
        ("publish", #"{"topic":"a","text":"x","key":"NAME"}"#, 200),
        ("publish", #"{"topic":"a","text":"x","idempotency_key":"NAME"}"#, 200),
        ("send", #"{"user":"NAME","text":"x"}"#, 201),
        ("send", #"{"user":"a","text":"x","idempotency_key":"NAME"}"#, 201),
        ("send", #"{"user":"a","text":"x","delivery":"now","device":"NAME"}"#, 202),
        ("broadcast", #"{"topic":"NAME","text":"x"}"#, 202),
        ("broadcast", #"{"text":"x","except_users":["NAME"]}"#, 202),
        ("campaigns", #"{"rate":1,"text":"x","topic":"NAME"}"#, 202),
        ("campaigns", #"{"rate":1,"text":"x","users":["NAME"]}"#, 202),
        ("kick", #"{"user":"NAME"}"#, 202), ("kick", #"{"user":"a","device":"NAME"}"#, 202),
    ])
    func `a name is of at most 256 bytes`(path: String, body: String, status: Int) async throws {
        let bench = try await PushBench()
        for (count, expected) in [(256, status), (257, 400)] {
            let name = String(repeating: "x", count: count)
            let answer = try bench.post(path, body.replacing("NAME", with: name))
            #expect(answer.status == expected)
        }
    }

    @Test(arguments: ["presence?topic=", "presence?user=", "history?topic=", "sessions?user="])
    func `a name in a query is of at most 256 bytes`(path: String) async throws {
        let bench = try await PushBench()
        for (count, status) in [(256, 200), (257, 400)] {
            #expect(
                try bench.get(path + String(repeating: "x", count: count)).status == status)
        }
    }

    @Test(arguments: [
        ("publish", #"{"topic":"","text":"x"}"#), ("broadcast", #"{"topic":"","text":"x"}"#),
        ("campaigns", #"{"rate":1,"text":"x","delivery":"inbox","users":[""]}"#),
        ("kick", #"{"user":""}"#),
    ])
    func `a topic or a user without a name is refused`(path: String, body: String) async throws {
        #expect(try await PushBench().post(path, body).status == 400)
    }
}
