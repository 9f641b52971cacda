import Hub
import HubHTTP
import HubTesting
import NetPollTesting
import Synchronization
import Testing
import WSFrame

@Suite("The HTTP API, on the simulated network")
struct PushAPITests {
    @Test(arguments: [nil, "", "akeyof16bytesxxx", "akeyof16bytesxxxxx", "AKEYOF16BYTESXXXX"])
    func `nothing is done without a key`(key: String?) async throws {
        let bench = try await PushBench()
        for line in ["GET /api/v1/sessions", "POST /api/v1/broadcast", "GET /metrics"] {
            #expect(try bench.answer(to: line, body: "{}", key: key).status == 401)
        }
    }

    @Test func `a publication reaches subscribers, and stands in the history as it was sent`()
        async throws
    {
        let bench = try await PushBench()
        let ann = try bench.join("ann")
        ann.say("sub 1 news")
        bench.world.run(for: .seconds(1))
        _ = ann.takeTexts()
        let answer = try bench.post(
            "publish", #"{"topic":"news","event":"e","data":{ "a": [1, "}"]},"key":"k"}"#)
        #expect(answer.status == 200)
        #expect(answer.body.hasSuffix(#","offset":1}"#))
        #expect(ann.takeTexts() == [#"pub news 1 - { "a": [1, "}"]}"#])
        let history = try bench.get("history?topic=news")
        #expect(history.body.contains(#""messages":[{"offset":1,"#))
        #expect(history.body.contains(#""event":"e","key":"k","data":{ "a": [1, "}"]}}]"#))
    }

    @Test func `a publication with a key is published once`() async throws {
        let bench = try await PushBench()
        let body = #"{"topic":"a","text":"x","idempotency_key":"k"}"#
        #expect(try bench.post("publish", body) == (try bench.post("publish", body)))
        #expect(try bench.get("history?topic=a").body.contains(#""offset":1,"recovered""#))
    }

    @Test func `a message to a user waits in the inbox`() async throws {
        let bench = try await PushBench()
        let body = #"{"user":"ann","text":"hi","idempotency_key":"k"}"#
        let first = try bench.post("send", body)
        #expect(first.status == 201)
        let id = first.body.dropFirst(#"{"id":"#.count).prefix { $0.isNumber }
        #expect(first.body == #"{"id":\#(id)}"#)
        #expect(
            try bench.post("send", body)
                == .init(status: 200, body: #"{"id":\#(id),"duplicate":true}"#))
        let ann = try bench.join("ann")
        bench.world.run(for: .seconds(1))
        #expect(ann.takeTexts() == ["inbox \(id) hi"])
    }

    @Test func `a message for now reaches who is there, and one device where it says so`()
        async throws
    {
        let bench = try await PushBench()
        let phone = try bench.join("ann", device: "phone")
        let desk = try bench.join("ann", device: "desk")
        #expect(
            try bench.post("send", #"{"user":"ann","text":"all","delivery":"now"}"#).status == 202)
        #expect(
            try bench.post(
                "send", #"{"user":"ann","device":"desk","text":"one","delivery":"now"}"#
            ).status == 202)
        #expect(phone.takeTexts() == ["msg - all"])
        #expect(desk.takeTexts() == ["msg - all", "msg - one"])
    }

    @Test func `a broadcast reaches everybody but those it leaves out`() async throws {
        let bench = try await PushBench()
        let (ann, bob) = (try bench.join("ann"), try bench.join("bob"))
        #expect(
            try bench.post("broadcast", #"{"data":7,"event":"n","except_users":["bob"]}"#).status
                == 202)
        #expect(ann.takeTexts() == ["msg n 7"])
        #expect(bob.takeTexts() == [])
    }

    @Test func `a campaign goes to inboxes at its rate, and is steered`() async throws {
        let bench = try await PushBench()
        let users = (0..<100).map { "\"u\($0)\"" }.joined(separator: ",")
        let body =
            #"{"id":"c","rate":10,"delivery":"inbox","text":"x","users":[\#(users)]}"#
        #expect(try bench.post("campaigns", body).status == 202)
        bench.world.run(for: .seconds(2))
        let half = try bench.post("campaigns/c/pause", "").body
        #expect(half.contains(#""state":"paused""#))
        bench.world.run(for: .seconds(60))
        let later = try bench.get("campaigns/c").body
        #expect(later == half)
        #expect(try bench.post("campaigns/c/resume", "").status == 200)
        bench.world.run(for: .seconds(60))
        #expect(
            try bench.get("campaigns/c").body
                == #"{"id":"c","state":"finished","rate":10,"total":100,"sent":100,"missed":0}"#)
        // Begun again under its name it is the same.
        #expect(try bench.post("campaigns", body).status == 200)
        let last = try bench.join("u99")
        bench.world.run(for: .seconds(1))
        #expect(last.takeTexts().map { $0.split(separator: " ").last } == ["x"])
        #expect(try bench.get("campaigns/none").status == 404)
    }

    @Test(arguments: [(23, ["once"]), (25, ["once", "once"])])
    func `a campaign whose process ended is known for a day, and not by keys of messages`(
        hours: Int, texts: [String]
    ) async throws {
        var bounds = PushAPI.Configuration()
        bounds.campaignsMax = 1
        let bench = try await PushBench(bounds)
        let key = #"{"user":"ann","text":"key","idempotency_key":"c"}"#
        #expect(try bench.post("send", key).status == 201)
        let body = #"{"id":"c","rate":10,"delivery":"inbox","text":"once","users":["ann"]}"#
        #expect(try bench.post("campaigns", body).status == 202)
        bench.world.run(for: .seconds(hours * 3_600))
        // Pushed out, it is as forgotten as after the end of its process.
        #expect(try bench.post("campaigns", #"{"id":"d","rate":1,"text":"x"}"#).status == 202)
        bench.world.run(for: .seconds(1))
        #expect(try bench.post("campaigns", body).status == 202)
        let ann = try bench.join("ann")
        bench.world.run(for: .seconds(2))
        #expect(
            ann.takeTexts().map { $0.split(separator: " ").last } == ["key"] + texts.map { $0[...] }
        )
    }

    @Test func `a campaign to sessions ends when it is cancelled`() async throws {
        let bench = try await PushBench()
        let clients = try (0..<5).map { try bench.join("u\($0)") }
        #expect(try bench.post("campaigns", #"{"id":"c","rate":1,"text":"x"}"#).status == 202)
        #expect(try bench.post("campaigns/c/cancel", "").body.contains(#""state":"cancelled""#))
        bench.world.run(for: .seconds(60))
        #expect(clients.count { !$0.texts.isEmpty } < 5)
    }

    @Test func `campaigns beyond the bound push out those that have ended`() async throws {
        var bounds = PushAPI.Configuration()
        bounds.campaignsMax = 2
        let bench = try await PushBench(bounds)
        for id in ["a", "b", "c"] {
            #expect(
                try bench.post("campaigns", #"{"id":"\#(id)","rate":1,"text":"x"}"#).status == 202)
        }
        #expect(try bench.get("campaigns/a").status == 404)
        #expect(try bench.get("campaigns/c").status == 200)
        let ann = try bench.join("ann")
        for (id, status) in [("d", 202), ("e", 202), ("f", 429)] {
            let body =
                #"{"id":"\#(id)","rate":1,"delivery":"inbox","users":["x","y","z"],"text":"x"}"#
            let answer = try bench.post("campaigns", body)
            _ = try bench.post("campaigns/\(id)/pause", "")
            #expect(answer.status == status)
        }
        _ = ann
    }

    @Test func `presence and sessions tell who is there`() async throws {
        let bench = try await PushBench()
        let ann = try bench.join("ann", device: "phone")
        ann.say("sub 1 news")
        bench.world.run(for: .seconds(1))
        #expect(
            try bench.get("presence?topic=news").body
                == #"{"topic":"news","count":1,"users":["ann"]}"#)
        #expect(
            try bench.get("presence?user=ann").body
                == #"{"user":"ann","online":true,"sessions":1}"#)
        #expect(try bench.get("presence?user=x").body.contains("false"))
        #expect(try bench.get("sessions").body == #"{"count":1}"#)
        #expect(try bench.get("sessions?user=ann").body.contains(#","device":"phone"}]}"#))
    }

    @Test func `who is kicked is closed, and who is banned is not let in`() async throws {
        let bench = try await PushBench()
        let ann = try bench.join("ann")
        #expect(
            try bench.post("kick", #"{"user":"ann","reason":"bye","ban_seconds":60}"#)
                == .init(status: 202, body: #"{"sessions":1}"#))
        #expect(ann.closeCode == 4_403)
        let again = try #require(bench.world.connect("/ws?user=ann", subprotocol: "lines.1"))
        #expect(!again.isUpgraded)
        bench.world.run(for: .seconds(61))
        #expect(try bench.join("ann").isUpgraded)
    }

    @Test(arguments: [
        ("publish", "{}"), ("publish", "not json"), ("publish", #"{"topic":"a"}"#),
        ("publish", #"{"topic":"a","text":"x","data":1}"#), ("publish", #"{"topic":1,"text":"x"}"#),
        ("publish", #"{"topic":"a","text":"x","durability":"no"}"#), ("send", #"{"text":"x"}"#),
        ("send", #"{"user":"","text":"x"}"#), ("send", #"{"user":"a","text":"x","ttl":0}"#),
        ("send", #"{"user":"a","text":"x","device":"d"}"#),
        ("send", #"{"user":"a","text":"x","delivery":"mail"}"#), ("broadcast", "{}"),
        ("campaigns", #"{"rate":0,"text":"x"}"#), ("campaigns", #"{"text":"x"}"#),
        ("campaigns", #"{"rate":1,"text":"x","delivery":"inbox"}"#),
        ("campaigns", #"{"rate":1,"text":"x","users":[],"topic":"a"}"#), ("kick", "{}"),
        ("kick", #"{"user":"a","ban_seconds":0}"#),
        ("publish", #"{"topic":"a","data":[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]}"#),
    ])
    func `a body that is not what it has to be is answered 400`(
        path: String, body: String
    ) async throws {
        let answer = try await PushBench().post(path, body)
        #expect(answer.status == 400)
        #expect(answer.body.hasPrefix(#"{"error":""#))
    }

    @Test(arguments: [
        "presence", "history", "history?topic=a&epoch=!", "history?topic=a&limit=0",
        "presence?topic=a&limit=1001", "history?topic=a&epoch=1&offset=-1",
        "history?topic=a&offset=1", "presence?topic=a&user=b", "presence?user=a&limit=1",
        "sessions?user=", "presence?user=", "presence?topic=", "history?topic=",
    ])
    func `a query that is not what it has to be is answered 400`(path: String) async throws {
        #expect(try await PushBench().get(path).status == 400)
    }

    @Test func `metrics tell what the hub does`() async throws {
        let bench = try await PushBench()
        _ = try bench.join("ann")
        _ = try bench.post("publish", #"{"topic":"a","text":"x"}"#)
        let text = try bench.answer(to: "GET /metrics").body
        #expect(text.contains("hub_sessions 1"))
        let reports = Mutex(0)
        bench.api.onMetrics { reports.withLock { $0 += 1 } }
        _ = try bench.answer(to: "GET /metrics")
        _ = try bench.answer(to: "GET /metrics", key: nil)
        #expect(reports.withLock { $0 } == 1)
        #expect(text.contains("hub_handshakes "))
        #expect(text.contains("hub_messages_published_total 1"))
        #expect(try bench.answer(to: "GET /healthz", key: nil).status == 200)
        #expect(try bench.answer(to: "GET /nothing").status == 404)
        #expect(try bench.answer(to: "GET /api/v1/publish").status == 405)
    }

    @Test(arguments: ["", "# nothing\n", "short", "fifteen-bytes-x", " \tfifteen-bytes-x\r\n"])
    func `keys that are none or too short are refused`(lines: String) {
        #expect(throws: APIKeyError.self) { try APIKeys(lines: lines) }
    }

    @Test func `a key with a space in it, which no request could show, is refused`() {
        #expect(throws: APIKeyError.invalid) { try APIKeys(lines: "sixteen-bytes-xx # mine") }
    }
}
