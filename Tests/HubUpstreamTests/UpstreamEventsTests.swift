import Hub
import HubHTTP
import HubTesting
import HubUpstream
import NetPoll
import NetPollTesting
import RPC
import Seeds
import Synchronization
import Testing
import WSFrame

@Suite("What happens to sessions, told to an application by RPC on the simulated network")
struct UpstreamEventsTests {
    @Test func `who connects, what they say and who goes is told in order`() async throws {
        let bench = try await UpstreamBench()
        let ann = try #require(try bench.join("ann"))
        ann.say("msg greet hello")
        ann.send([0xff, 0], .binary)
        bench.world.run(for: .seconds(1))
        ann.send([], .close)
        bench.world.run(for: .seconds(1))
        let events = bench.application.events
        #expect(events.map(\.number) == [1, 2, 3])
        #expect(Set(events.map(\.id)).count == 3)
        #expect(Set(events.map(\.session)).count == 1)
        #expect(events.allSatisfy { $0.user == "ann" && $0.device == "d" && $0.address != nil })
        #expect(events[0].kind == .connected)
        #expect(events[1].kind == .message(HubMessage(Payload(text: "hello"), event: "greet")))
        #expect(events[2].kind == .disconnected(.client))
        #expect(bench.events.snapshot.delivered == 3 && bench.events.snapshot.waiting == 0)
    }

    @Test func `the handler of the hub's own application gets what was told, too`() async throws {
        let bench = try await UpstreamBench()
        bench.world.hub.onRequest("double", as: Int.self) { number, _ in number * 2 }
        let ann = try #require(try bench.join("ann"))
        ann.say("req 7 double 21")
        bench.world.run(for: .seconds(1))
        #expect(ann.takeTexts() == ["rep 7 42"])
        #expect(bench.application.story(of: "ann") == ["+", "21"])
    }

    @Test(arguments: seeds(12))
    func `while the application is away events wait, and come in order when it is back`(
        seed: UInt64
    ) async throws {
        var faults = Faults.cuts
        faults.delayMax = .milliseconds(5)
        let bench = try await UpstreamBench(seed: seed, faults: faults)
        let users = (0..<4).map { "user-\($0)" }
        let clients = try users.map { try #require(try bench.join($0), "seed \(seed)") }
        bench.world.network.setRoute(.refused, to: UpstreamBench.address)
        stop(bench)
        for number in 0..<20 {
            for client in clients { client.say("msg e \(number)") }
            bench.world.run(for: .milliseconds(200))
        }
        bench.world.run(for: .seconds(30))
        #expect(bench.events.snapshot.waiting > 0, "seed \(seed)")
        bench.world.network.setRoute(.open, to: UpstreamBench.address)
        try await bench.application.serve(on: bench.world.group, at: UpstreamBench.address)
        bench.world.run(for: .seconds(60))
        for user in users {
            #expect(
                bench.application.story(of: user) == ["+"] + (0..<20).map { "\($0)" },
                "seed \(seed)")
        }
        let counts = bench.events.snapshot
        #expect(counts.waiting == 0 && counts.dropped == 0 && counts.retries > 0, "seed \(seed)")
    }

    @Test(arguments: seeds(12))
    func `over connections that break each event is told at least once, and none overtakes`(
        seed: UInt64
    ) async throws {
        let bench = try await UpstreamBench(seed: seed, faults: .cuts)
        let clients = try (0..<3).map { try #require(try bench.join("user-\($0)"), "seed \(seed)") }
        for number in 0..<30 {
            for client in clients { client.say("msg e \(number)") }
            // Its calls may be in flight now, or answered and the answer on its way.
            if number % 5 == 0 {
                stop(bench)
                try await bench.application.serve(
                    on: bench.world.group, at: UpstreamBench.address)
            }
            bench.world.run(for: .milliseconds(30))
        }
        bench.world.run(for: .seconds(120))
        for user in 0..<3 {
            #expect(
                bench.application.story(of: "user-\(user)") == ["+"] + (0..<30).map { "\($0)" },
                "seed \(seed)")
        }
    }

    @Test func `what is too much while the application is away is dropped, counted and seen`()
        async throws
    {
        let bench = try await UpstreamBench { $0.eventsPerSessionMax = 4 }
        let ann = try #require(try bench.join("ann"))
        bench.application.state.withLock { $0.failure = RPCError(.unavailable, "ill") }
        for number in 0..<10 { ann.say("msg e \(number)") }
        bench.world.run(for: .seconds(5))
        #expect(bench.events.snapshot.waiting == 4)
        #expect(bench.events.snapshot.dropped == 6)
        bench.application.state.withLock { $0.failure = nil }
        bench.world.run(for: .seconds(30))
        ann.say("msg e last")
        bench.world.run(for: .seconds(1))
        #expect(bench.application.story(of: "ann") == ["+", "0", "1", "2", "3", "last"])
        #expect(bench.application.events.map(\.number) == [1, 2, 3, 4, 5, 12])
    }

    @Test(arguments: [
        (StatusCode.invalidArgument, true), (.permissionDenied, true), (.unauthenticated, true),
        (.unknown, false), (.internal, false), (.resourceExhausted, false),
        (.deadlineExceeded, false),
    ])
    func `what the application answers decides whether an event is told again`(
        code: StatusCode, isFinal: Bool
    ) async throws {
        let bench = try await UpstreamBench { $0.patience = .seconds(20) }
        bench.application.state.withLock { $0.failure = RPCError(code, "no") }
        let ann = try bench.join("ann")
        bench.world.run(for: .seconds(60))
        withExtendedLifetime(ann) {}
        let counts = bench.events.snapshot
        #expect(counts.refused == (isFinal ? 1 : 0))
        #expect(counts.abandoned == (isFinal ? 0 : 1))
        #expect((counts.retries > 2) == !isFinal)
        #expect(counts.waiting == 0)
    }

    @Test func `a drain waits for what is told, and gives up the rest in time`() async throws {
        let bench = try await UpstreamBench()
        _ = try bench.join("ann")
        bench.application.state.withLock { $0.failure = RPCError(.unavailable, "ill") }
        _ = try bench.join("bob")
        let before = bench.world.group.loops[0].clock.now
        run(bench) { await $0.drain(deadline: .seconds(3)) }
        #expect(bench.world.group.loops[0].clock.now - before < .seconds(5))
        let counts = bench.events.snapshot
        #expect(counts.delivered == 1 && counts.abandoned == 1 && counts.waiting == 0)
        // What nobody is told of any more is dropped, and counted.
        _ = try bench.join("cleo")
        #expect(bench.events.snapshot.waiting == 0)
        #expect(bench.events.snapshot.dropped == counts.dropped + 1)
    }

    /// Ends the application's server.
    private func stop(_ bench: UpstreamBench) {
        let application = bench.application
        run(bench) { _ in await application.stop() }
    }

    /// Runs a task of the simulation to its end.
    private func run(
        _ bench: UpstreamBench, _ body: @escaping @Sendable (UpstreamEvents) async -> Void
    ) {
        let (events, done) = (bench.events, Flag())
        Task(executorPreference: bench.world.group.loops[0]) {
            await body(events)
            done.raise()
        }
        let isDone = bench.world.network.run(within: .seconds(30)) { done.isRaised }
        #expect(isDone)
    }
}
