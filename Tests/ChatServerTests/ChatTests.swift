import FoundationEssentials
import Hub
import HubTesting
import Logging
import NetPoll
import NetPollTesting
import Testing
import WSFrame

@testable import ChatServer

/// What the tests read of any server message.
private struct Reply: Decodable, Equatable {
    struct Line: Decodable, Equatable {
        var type: String
        var offset: UInt64
        var from: String
        var text: String
        var ref: String?
    }

    struct Entry: Decodable, Equatable {
        var room: String
        var count: Int
    }

    var type: String
    var room: String?
    var code: String?
    var epoch: String?
    var offset: UInt64?
    var recovered: Bool?
    var members: [String]?
    var count: Int?
    var history: [Line]?
    var from: String?
    var text: String?
    var ref: String?
    var joined: [String]?
    var left: [String]?
    var typing: Bool?
    var time: Int64?
    var retryAfter: Int64?
    var rooms: [Entry]?
}

@Suite("The chat, on the simulated network")
struct ChatTests {
    /// A chat server and its clients.
    private final class Bench {
        let network = SimulatedNetwork()
        let hub: HubServer
        private var address = SocketAddress.v4(0x0100_007f, port: 80)

        init() async throws {
            let chat = Chat()
            hub = HubServer(
                group: network.makeGroup(loops: 2),
                configuration: chat.configuration(connectionsMax: 100), application: chat,
                logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
            address = try await hub.listen(on: address)
        }

        func connect() throws -> SimulatedClient {
            let client = SimulatedClient(peer: try #require(network.connect(to: address)))
            client.requestUpgrade()
            network.runUntilIdle()
            #expect(client.isUpgraded)
            return client
        }

        /// A client that is known and in `rooms`.
        func enter(_ name: String, _ rooms: String...) throws -> SimulatedClient {
            let client = try connect()
            _ = try ask(client, #"{"type":"hello","version":1,"name":"\#(name)"}"#)
            for room in rooms { _ = try ask(client, #"{"type":"join","room":"\#(room)"}"#) }
            network.run(for: .seconds(1))
            _ = client.takeTexts()
            return client
        }

        /// Says `json` and returns what comes back at once.
        func ask(_ client: SimulatedClient, _ json: String) throws -> [Reply] {
            client.say(json)
            network.runUntilIdle()
            return try replies(client)
        }

        func replies(_ client: SimulatedClient) throws -> [Reply] {
            try client.takeTexts().map {
                try JSONDecoder().decode(Reply.self, from: Data($0.utf8))
            }
        }
    }

    @Test func `joining tells the room's history, its members and where live messages begin`()
        async throws
    {
        let bench = try await Bench()
        let ada = try bench.enter("Ada", "a")
        for number in 1...60 {
            _ = try bench.ask(ada, #"{"type":"send","room":"a","text":"say \"\#(number)\""}"#)
        }
        let bob = try bench.enter("Bob")
        let joined = try #require(try bench.ask(bob, #"{"type":"join","room":"a"}"#).first)
        #expect(joined.type == "joined")
        #expect(joined.members == ["Ada", "Bob"])
        #expect(joined.count == 2)
        #expect(joined.recovered == false)
        #expect(joined.offset == 60)
        #expect(joined.history?.map(\.offset) == Array(11...60))
        #expect(joined.history?.last?.text == "say \"60\"")
        let live = try bench.ask(ada, #"{"type":"send","room":"a","text":"live","ref":"r1"}"#)
        let same = try bench.replies(bob)
        #expect(live == same)
        #expect(live.map(\.offset) == [61])
        #expect(live.first?.ref == "r1")
        #expect(live.first?.epoch == joined.epoch)
        #expect((live.first?.time ?? 0) > 1_700_000_000_000)
    }

    @Test func `coming back brings only what was missed`() async throws {
        let bench = try await Bench()
        let ada = try bench.enter("Ada", "a")
        for _ in 1...3 { _ = try bench.ask(ada, #"{"type":"send","room":"a","text":"x"}"#) }
        let epoch = try #require(bench.hub.existingTopic("a")?.epoch)
        let bob = try bench.enter("Bob")
        let back = try bench.ask(
            bob, #"{"type":"join","room":"a","epoch":"\#(epoch)","offset":2}"#)
        #expect(back.first?.recovered == true)
        #expect(back.first?.history?.map(\.offset) == [3])
        let stranger = try bench.ask(bob, #"{"type":"join","room":"a","epoch":"?","offset":2}"#)
        #expect(stranger.first?.recovered == false)
        #expect(stranger.first?.history?.map(\.offset) == [1, 2, 3])
    }

    @Test func `a joined brings the newest messages within its bytes, and says what it lacks`()
        async throws
    {
        let bench = try await Bench()
        let ada = try bench.enter("Ada", "a")
        // In JSON six bytes each.
        let text = String(repeating: "\\u0001", count: 1_999) + "x"
        for _ in 1...20 {
            _ = try bench.ask(ada, #"{"type":"send","room":"a","text":"\#(text)"}"#)
        }
        let topic = try #require(bench.hub.existingTopic("a"))
        let kept = topic.snapshot().messages
        #expect(kept.count == 10)
        #expect(kept.reduce(0) { $0 + $1.payload.count } <= 128 << 10)
        for (offset, recovered, first) in [(19, true, 20), (15, true, 16), (14, false, 16)] {
            let request =
                #"{"type":"join","room":"a","epoch":"\#(topic.epoch)","offset":\#(offset)}"#
            let joined = try #require(try bench.ask(ada, request).first)
            #expect(joined.recovered == recovered)
            #expect(joined.history?.map(\.offset) == Array(UInt64(first)...20))
            #expect(joined.offset == 20)
        }
    }

    @Test func `members come and go by name, whatever the number of their connections`()
        async throws
    {
        let bench = try await Bench()
        let ada = try bench.enter("Ada", "a")
        let bob = try bench.enter("Bob", "a")
        let bobAgain = try bench.enter("Bob", "a")
        let notice = try #require(try bench.replies(ada).first)
        #expect(notice.type == "presence")
        #expect(notice.joined == ["Bob"])
        #expect(notice.count == 2)
        bob.peer.reset()
        bench.network.run(for: .seconds(1))
        #expect(try bench.replies(ada) == [])
        _ = try bench.ask(bobAgain, #"{"type":"leave","room":"a"}"#)
        bench.network.run(for: .seconds(1))
        let gone = try bench.replies(ada)
        #expect(gone.map(\.left) == [["Bob"]])
        #expect(gone.map(\.count) == [1])
    }

    @Test func `rooms and names are other ones where their spelling is`() async throws {
        let bench = try await Bench()
        let ada = try bench.enter("Ren\u{e9}", "caf\u{e9}")
        let bob = try bench.enter("Rene\u{301}", "cafe\u{301}")
        let listed = try #require(try bench.ask(bob, #"{"type":"rooms"}"#).first?.rooms)
        #expect(
            listed.map { Array($0.room.utf8) }
                == ["cafe\u{301}", "caf\u{e9}"].map { Array($0.utf8) })
        #expect(listed.map(\.count) == [1, 1])
        let told = try bench.ask(bob, #"{"type":"send","room":"cafe\#u{301}","text":"x"}"#)
        #expect(told.map { Array(($0.room ?? "").utf8) } == [Array("cafe\u{301}".utf8)])
        #expect(try bench.replies(ada) == [])
        let other = try bench.ask(bob, #"{"type":"send","room":"caf\#u{e9}","text":"x"}"#)
        #expect(other.first?.code == "not_joined")
        let both = try bench.ask(bob, #"{"type":"join","room":"caf\#u{e9}"}"#)
        #expect(both.first?.count == 2)
        #expect(both.first?.members?.count == 2)
    }

    @Test(
        .timeLimit(.minutes(10)),
        arguments: [
            #"{"type":"typing","typing":true,"room":"#, #"{"type":"send","text":"x","room":"#,
            #"{"type":"leave","room":"#, #"{"type":"join","room":"#,
        ])
    func `a room too long to be one is not looked for`(head: String) async throws {
        let bench = try await Bench()
        let ada = try bench.enter("Ada", "a\u{301}")
        let marks = String(repeating: "\u{323}\u{301}", count: 7_500)
        let replies = try bench.ask(ada, head + "\"a\(marks)\"}")
        #expect(replies.map(\.code) == ["bad_room"])
    }

    @Test func `typing is told and not kept`() async throws {
        let bench = try await Bench()
        let ada = try bench.enter("Ada", "a")
        let bob = try bench.enter("Bob", "a")
        _ = try bench.replies(ada)
        _ = try bench.ask(bob, #"{"type":"typing","room":"a","typing":true}"#)
        let told = try bench.replies(ada)
        #expect(told.map(\.type) == ["typing"])
        #expect(told.first?.from == "Bob")
        #expect(bench.hub.existingTopic("a")?.position.offset == 0)
    }

    @Test(arguments: [
        (#"{"type":"send","room":"b","text":"x","ref":"r"}"#, "not_joined"),
        (#"{"type":"typing","room":"b","typing":true}"#, "not_joined"),
        (#"{"type":"send","room":"a","text":" "}"#, "bad_text"),
        (#"{"type":"join","room":"a b"}"#, "bad_room"),
        (#"{"type":"hello","version":1,"name":"Eve"}"#, "hello_twice"),
        (#"{"type":"dance"}"#, "unknown_type"),
        ("dance", "bad_json"),
    ])
    func `what cannot be done is answered by its error, and the connection goes on`(
        json: String, code: String
    ) async throws {
        let bench = try await Bench()
        let ada = try bench.enter("Ada", "a")
        let replies = try bench.ask(ada, json)
        #expect(replies.map(\.type) == ["error"])
        #expect(replies.first?.code == code)
        if json.contains("ref") { #expect(replies.first?.ref == "r") }
        #expect(try bench.ask(ada, #"{"type":"ping","ref":"p"}"#).map(\.ref) == ["p"])
    }

    @Test func `nothing goes before hello, and a wrong hello may be repeated`() async throws {
        let bench = try await Bench()
        let client = try bench.connect()
        #expect(try bench.ask(client, #"{"type":"rooms"}"#).first?.code == "hello_first")
        let bad = try bench.ask(client, #"{"type":"hello","version":1,"name":" "}"#)
        #expect(bad.first?.code == "bad_name")
        let good = try bench.ask(client, #"{"type":"hello","version":1,"name":"Ada"}"#)
        #expect(good.first?.type == "welcome")
    }

    @Test func `another version, silence and binary messages end the connection`() async throws {
        let bench = try await Bench()
        let future = try bench.connect()
        let reply = try bench.ask(future, #"{"type":"hello","version":2,"name":"Ada"}"#)
        #expect(reply.first?.code == "bad_version")
        #expect(future.closeCode == 1_008)
        let binary = try bench.enter("Bob")
        binary.send([1, 2, 3], .binary)
        let silent = try bench.connect()
        bench.network.run(for: .seconds(11))
        #expect(binary.closeCode == 1_003)
        #expect(silent.closeCode == 1_008)
    }

    @Test func `too many messages are refused for a time, and a flood ends the connection`()
        async throws
    {
        let bench = try await Bench()
        let ada = try bench.enter("Ada")
        bench.network.run(for: .seconds(60))
        for _ in 0..<150 { ada.say(#"{"type":"ping"}"#) }
        bench.network.runUntilIdle()
        #expect(try bench.replies(ada).allSatisfy { $0.type == "pong" })
        let limited = try bench.ask(ada, #"{"type":"ping","ref":"x"}"#)
        #expect(limited.first?.code == "rate_limited")
        #expect(limited.first?.ref == "x")
        #expect((1...100).contains(limited.first?.retryAfter ?? 0))
        bench.network.run(for: .milliseconds(250))
        #expect(try bench.ask(ada, #"{"type":"ping"}"#).first?.type == "pong")
        for _ in 0..<200 { ada.say(#"{"type":"ping"}"#) }
        bench.network.run(for: .seconds(1))
        #expect(ada.closeCode == 1_008)
    }

    @Test func `the rooms are listed, the most visited first and the empty ones not`()
        async throws
    {
        let bench = try await Bench()
        _ = try bench.enter("Ada", "b", "c")
        let bob = try bench.enter("Bob", "a", "c")
        _ = try bench.ask(bob, #"{"type":"leave","room":"a"}"#)
        let rooms = try #require(try bench.ask(bob, #"{"type":"rooms"}"#).first?.rooms)
        #expect(rooms == [Reply.Entry(room: "c", count: 2), Reply.Entry(room: "b", count: 1)])
    }

    @Test func `one may be in twenty rooms`() async throws {
        let bench = try await Bench()
        let ada = try bench.enter("Ada")
        for number in 1...20 {
            let replies = try bench.ask(ada, #"{"type":"join","room":"r\#(number)"}"#)
            #expect(replies.first?.type == "joined")
        }
        let refused = try bench.ask(ada, #"{"type":"join","room":"r21"}"#)
        #expect(refused.first?.code == "too_many_rooms")
    }

    @Test func `a room is forgotten a minute after its last member left`() async throws {
        let bench = try await Bench()
        let ada = try bench.enter("Ada", "a")
        _ = try bench.ask(ada, #"{"type":"send","room":"a","text":"x"}"#)
        let before = try #require(bench.hub.existingTopic("a")?.epoch)
        _ = try bench.ask(ada, #"{"type":"leave","room":"a"}"#)
        bench.network.run(for: .seconds(80))
        let again = try bench.ask(
            ada, #"{"type":"join","room":"a","epoch":"\#(before)","offset":1}"#)
        #expect(again.first?.recovered == false)
        #expect(again.first?.history == [])
        #expect(again.first?.epoch != before.description)
    }
}
