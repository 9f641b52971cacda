import Hub
import HubTesting
import Logging
import NetPoll
import NetPollTesting
import Synchronization
import Testing
import WSFrame

@testable import HubHTTP

@Suite("The dashboard, on the simulated network")
struct DashboardTests {
    private let level = LogLevelControl(.info)

    private func bench(
        level: LogLevelControl? = nil, _ configuration: Dashboard.Configuration = .init()
    ) async throws -> PushBench {
        let dashboard = Dashboard(
            keys: try APIKeys(lines: "akeyof16bytesxxxx"), logLevel: level,
            configuration: configuration)
        let bench = try await PushBench {
            $0.topic.presence = .nobody
            dashboard.install(in: &$0)
        }
        dashboard.serve(bench.world.hub)
        return bench
    }

    @Test func `nothing is told or set without a key`() async throws {
        let bench = try await bench(level: level)
        for key in [nil, "", "akeyof16bytesxxx", "another key of 32 bytes"] {
            for line in [
                "GET /dashboard/figures", "GET /dashboard/sessions?user=ann",
                "POST /dashboard/log-level",
            ] {
                let answer = try bench.answer(to: line, body: #"{"level":"trace"}"#, key: key)
                #expect(answer.status == 401)
            }
        }
        #expect(level.level == .info)
    }

    @Test func `the page and its files are served, and load nothing from elsewhere`()
        async throws
    {
        let bench = try await bench()
        let peer = try #require(bench.world.network.connect(to: bench.world.address))
        peer.send(Array("GET /dashboard HTTP/1.1\r\nHost: a\r\n\r\n".utf8))
        bench.world.run(for: .seconds(1))
        let page = String(decoding: peer.received, as: UTF8.self)
        #expect(page.contains("Content-Security-Policy: default-src 'none'; script-src 'self'"))
        #expect(page.contains("frame-ancestors 'none'"))
        #expect(!page.contains("akeyof16bytesxxxx"))
        let named = page.matches(of: /(?:href|src)="([^"]*)"/).map { String($0.output.1) }
        #expect(named.count == 3)
        for name in named {
            #expect(try bench.answer(to: "GET /\(name)", key: nil).status == 200, "\(name)")
        }
        // Every module that a module names is there.
        for (path, _) in DashboardPage.files where path.hasSuffix(".js") {
            let text = try bench.answer(to: "GET \(path)", key: nil).body
            #expect(!text.contains("innerHTML") && !text.contains("http://127"))
            for module in text.matches(of: /from "\.\/([a-z]+\.js)"/).map({ $0.output.1 }) {
                #expect(DashboardPage.files["/dashboard/\(module)"] != nil, "\(module)")
            }
        }
    }

    @Test func `figures tell what there is`() async throws {
        let bench = try await bench(level: level)
        let ann = try bench.join("ann")
        let bob = try bench.join("bob")
        for client in [ann, bob] {
            client.say("sub 1 news")
            bench.world.run(for: .seconds(1))
        }
        _ = try bench.post("publish", #"{"topic":"news","text":"x"}"#)
        let answer = try bench.answer(to: "GET /dashboard/figures")
        #expect(answer.status == 200)
        for part in [
            #""sessions":2"#, #""users":2"#, #""topicCount":1"#, #""name":"news""#,
            #""inboxes":{"#, #""subscribers":2"#, #""published":1"#, #""slowSessions":0"#,
            #""logLevel":"info""#, #""residentBytes":"#,
        ] {
            #expect(answer.body.contains(part), "\(part) in \(answer.body)")
        }
        let without = try await self.bench().answer(to: "GET /dashboard/figures")
        #expect(without.status == 200 && without.body.contains(#""logLevel":null"#))
    }

    @Test func `what waits for the store, and for acknowledgements, is told`() async throws {
        let bench = try await bench()
        _ = try bench.join("ann")
        _ = try bench.post("send", #"{"user":"ann","text":"x"}"#)
        _ = try bench.post("send", #"{"user":"bob","text":"x"}"#)
        let answer = try bench.answer(to: "GET /dashboard/figures")
        // Memory keeps no histories as a store does, so that nothing waits there.
        for part in [#""unacknowledged":1"#, #""changes":0"#, #""deposits":0"#] {
            #expect(answer.body.contains(part), "\(part) in \(answer.body)")
        }
        #expect(!answer.body.contains("histories"))
        #expect(!answer.body.contains("campaigns"), "no API's campaigns are to be shown")
    }

    @Test func `campaigns are shown, those that go on first, the latest first`() async throws {
        let keys = try APIKeys(lines: "akeyof16bytesxxxx")
        let api = PushAPI(keys: keys)
        var configuration = Dashboard.Configuration()
        configuration.namedMax = 3
        let dashboard = Dashboard(keys: keys, campaignsOf: api, configuration: configuration)
        let bench = try await PushBench {
            $0.routes = api.router
            dashboard.install(in: &$0)
        }
        dashboard.serve(bench.world.hub)
        api.serve(bench.world.hub)
        let users = (0..<50).map { "\"u\($0)\"" }.joined(separator: ",")
        for number in 1...4 {
            let began = try bench.post(
                "campaigns",
                #"{"id":"c\#(number)","text":"x","rate":1,"delivery":"inbox","users":[\#(users)]}"#)
            #expect(began.status == 202)
        }
        _ = try bench.post("campaigns/c4/cancel", "")
        _ = try bench.post("campaigns/c1/pause", "")
        let answer = try bench.answer(to: "GET /dashboard/figures")
        let ids = answer.body.matches(of: /"id":"(c[0-9])"/).map { String($0.output.1) }
        #expect(ids == ["c3", "c2", "c1"], "\(answer.body)")
        #expect(answer.body.contains(#""state":"paused""#), "\(answer.body)")
        #expect(answer.body.contains(#""total":50"#) && answer.body.contains(#""rate":1"#))
    }

    @Test func `a user's sessions are shown with their ledgers, and one by its id`()
        async throws
    {
        let bench = try await bench()
        let ann = try bench.join("ann", device: "phone")
        _ = try bench.join("ann", device: "desk")
        let first = try bench.answer(to: "GET /dashboard/sessions?user=ann")
        #expect(first.body.contains(#""count":2"#))
        #expect(first.body.contains(#""device":"phone""#) && first.body.contains("desk"))
        #expect(first.body.contains(#""alone":0"#))
        ann.say("ping 1")
        bench.world.run(for: .seconds(1))
        let ids = bench.world.hub.references(of: "ann").filter { $0.device == "phone" }.map(\.id)
        let id = try #require(ids.first)
        let one = try bench.answer(to: "GET /dashboard/sessions?session=\(id)")
        #expect(one.body.contains(#""count":1"#) && one.body.contains(#""alone":1"#))
        #expect(one.body.contains(#""received":1"#) && !one.body.contains("desk"))
        let none = try bench.answer(to: "GET /dashboard/sessions?user=nobody")
        #expect(none == .init(status: 200, body: #"{"count":0,"sessions":[]}"#))
        for query in ["", "?session=", "?session=1-2", "?session=x"] {
            #expect(try bench.answer(to: "GET /dashboard/sessions\(query)").status == 400)
        }
        #expect(try bench.answer(to: "GET /dashboard/sessions?session=999-0-0").status == 200)
    }

    @Test func `no more of a user's sessions are shown than the bound`() async throws {
        var configuration = Dashboard.Configuration()
        configuration.watchedMax = 2
        let bench = try await bench(configuration)
        for number in 0..<3 { _ = try bench.join("ann", device: "d\(number)") }
        let answer = try bench.answer(to: "GET /dashboard/sessions?user=ann")
        #expect(answer.body.contains(#""count":3"#))
        #expect(answer.body.contains("d1") && !answer.body.contains(#""d2""#))
    }

    @Test func `the log level is set while the program runs`() async throws {
        let bench = try await bench(level: level)
        let answer = try bench.answer(
            to: "POST /dashboard/log-level", body: #"{"level":"debug"}"#)
        #expect(answer == .init(status: 200, body: #"{"logLevel":"debug"}"#))
        #expect(level.level == .debug)
        for body in [#"{"level":"loud"}"#, #"{"level":1}"#, "{}", "debug"] {
            let refused = try bench.answer(to: "POST /dashboard/log-level", body: body)
            #expect(refused.status == 400)
        }
        #expect(level.level == .debug)
        let without = try await self.bench()
        #expect(
            try without.answer(
                to: "POST /dashboard/log-level", body: #"{"level":"debug"}"#
            ).status == 404)
    }

    private func figures(at milliseconds: Int64, of bench: PushBench) -> DashboardFigures {
        DashboardFigures(
            of: bench.world.hub, HubSurvey(), nil,
            at: Instant(nanoseconds: milliseconds * 1_000_000))
    }

    @Test func `figures are gathered once in an interval, by one for all`() async throws {
        let bench = try await bench()
        let shelf = FigureShelf(interval: .seconds(1))
        func ask(_ milliseconds: Int64) async -> Int64? {
            await shelf.figures(at: Instant(nanoseconds: milliseconds * 1_000_000)) {
                figures(at: milliseconds, of: bench)
            }?.milliseconds
        }
        #expect(await ask(0) == 0)
        #expect(await ask(999) == 0)
        #expect(await ask(1_000) == 1_000)
        // Who asks while another gathers gets what there is.
        let outer = await shelf.figures(at: Instant(nanoseconds: 3_000_000_000)) {
            #expect(await ask(3_001) == 1_000)
            return figures(at: 3_000, of: bench)
        }
        #expect(outer?.milliseconds == 3_000)
    }
}
