import Hub
import HubTesting
import HubUpstream
import NetPoll
import NetPollTesting
import RPC
import Synchronization
import Testing

@Suite("The application decides who gets a session")
struct ApplicationAuthenticatorTests {
    /// The status of the answer to a request for a session; 101 where there is one.
    private func status(_ bench: UpstreamBench, _ user: String = "ann") throws -> Int {
        let peer = try #require(bench.world.network.connect(to: bench.world.address))
        let client = SimulatedClient(peer: peer)
        client.requestUpgrade("/ws?user=\(user)", headers: ["X-Trace: 7"])
        bench.world.run(for: .seconds(12))
        let text = String(decoding: peer.received, as: UTF8.self)
        return Int(text.dropFirst(9).prefix(3)) ?? 0
    }

    @Test func `it is asked with the request, and its answer is who the client is`() async throws {
        let bench = try await UpstreamBench(asks: true)
        bench.application.state.withLock { state in
            state.answer = { _ in .accepted(Identity(user: "ann-2", topics: ["news"])) }
        }
        #expect(try status(bench) == 101)
        let question = try #require(bench.application.state.withLock { $0.questions.first })
        #expect(question.identity?.user == "ann")
        guard case .request(let target, let fields) = question.shown else {
            Issue.record("\(question)")
            return
        }
        #expect(target == "/ws?user=ann")
        #expect(fields.contains(.init(name: "X-Trace", value: "7")))
        #expect(bench.world.hub.sessions(of: "ann-2").count == 1)
        #expect(bench.application.events.map(\.user) == ["ann-2"])
    }

    @Test func `whom it takes as found is who the authenticator before says`() async throws {
        let bench = try await UpstreamBench(asks: true)
        #expect(try status(bench) == 101)
        #expect(bench.world.hub.sessions(of: "ann").count == 1)
    }

    @Test(arguments: [
        (AdmissionRefusal.Reason.forbidden, 403), (.unauthenticated, 401), (.tooMany, 429),
        (.credentialsExpired, 401), (.overloaded, 503),
    ])
    func `whom it refuses gets no session, and no event is told of it`(
        reason: AdmissionRefusal.Reason, expected: Int
    ) async throws {
        let bench = try await UpstreamBench(asks: true)
        bench.application.state.withLock { state in
            state.answer = { _ in .refused(AdmissionRefusal(reason, "not today")) }
        }
        #expect(try status(bench) == expected)
        #expect(bench.world.hub.sessionCount == 0)
        #expect(bench.application.events.isEmpty)
    }

    @Test(arguments: [
        (StatusCode.permissionDenied, 403), (.unauthenticated, 401), (.resourceExhausted, 429),
        (.internal, 503), (.unimplemented, 503),
    ])
    func `a call that fails refuses by its status`(code: StatusCode, expected: Int) async throws {
        let bench = try await UpstreamBench(asks: true)
        bench.application.state.withLock { state in
            state.answer = { _ in throw RPCError(code, "no") }
        }
        #expect(try status(bench) == expected)
    }

    @Test func `while it is away nobody is let in, and told when to come again`() async throws {
        let bench = try await UpstreamBench(asks: true)
        bench.world.network.setRoute(.blackHole, to: UpstreamBench.address)
        #expect(try status(bench) == 503)
        bench.world.network.setRoute(.open, to: UpstreamBench.address)
        bench.world.run(for: .seconds(30))
        #expect(try status(bench) == 101)
    }

    @Test func `or the authenticator before decides alone, where that is wanted`() async throws {
        let bench = try await UpstreamBench(asks: true, whenAway: .admit)
        bench.world.network.setRoute(.refused, to: UpstreamBench.address)
        #expect(try status(bench) == 101)
        #expect(bench.world.hub.sessions(of: "ann").count == 1)
    }

    @Test(arguments: [StatusCode.internal, .failedPrecondition, .permissionDenied])
    func `who answers, but not that a client may come in, is not away`(code: StatusCode)
        async throws
    {
        let bench = try await UpstreamBench(asks: true, whenAway: .admit)
        bench.application.state.withLock { state in
            state.answer = { _ in throw RPCError(code, "no") }
        }
        #expect(try status(bench) == (code == .permissionDenied ? 403 : 503))
    }

    @Test func `credentials that are renewed are asked about, too`() async throws {
        let bench = try await UpstreamBench(asks: true)
        let ann = try #require(try bench.join("ann"))
        ann.say("refresh 3 a-token")
        bench.world.run(for: .seconds(1))
        let questions = bench.application.state.withLock { $0.questions }
        #expect(questions.last?.shown == .renewal(token: "a-token"))
    }
}
