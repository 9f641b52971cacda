import ConnPool
import NetPoll
import NetPollTesting
import Synchronization
import Testing

@testable import RPC

@Suite("What a client counts", .timeLimit(.minutes(10)))
struct CallLedgerTests {
    private func statistics(
        _ world: ClientWorld, _ method: String
    ) throws -> RPCMethodStatistics {
        try #require(world.client.statistics.first { $0.name == method })
    }

    private func counts(_ statistics: RPCMethodStatistics) -> [Int] {
        [statistics.started, statistics.ended, statistics.failed, statistics.running]
    }

    @Test func `calls of every shape are counted by method`() throws {
        let world = try ClientWorld()
        let client = world.client
        #expect(client.statistics.isEmpty)
        for _ in 0..<3 { _ = try world.run { try await client.call(Work.name, []) } }
        _ = try world.run {
            try await client.call(Work.count, [1, 2]) { try await $0.reduce(0) { n, _ in n + 1 } }
        }
        _ = try world.run { try await client.call(Work.gather) { try await $0.send([1]) } }
        try world.run { try await client.call(Work.mirror) { requests, _ in requests.finish() } }
        try world.run { try await client.send(Work.name, []) }
        let lent = try world.run { try await client.callBytes(Work.name, []) { $0.byteCount } }
        #expect(lent == 1)
        #expect(client.statistics.map(\.name) == ["Name", "Count", "Gather", "Mirror"])
        #expect(client.statistics.allSatisfy { $0.service == "test.Work" })
        #expect(counts(try statistics(world, "Name")) == [5, 5, 0, 0])
        for name in ["Count", "Gather", "Mirror"] {
            #expect(counts(try statistics(world, name)) == [1, 1, 0, 0])
        }
    }

    @Test func `a call that runs is running, and one that fails has failed`() throws {
        let world = try ClientWorld()
        let options = CallOptions(timeout: .seconds(1))
        let calls = (0..<2).map { _ in world.call(Work.wait, options) }
        #expect(counts(try statistics(world, "Wait")) == [2, 0, 0, 2])
        world.network.run(for: .seconds(2))
        #expect(calls.allSatisfy { $0.error?.code == .deadlineExceeded })
        #expect(counts(try statistics(world, "Wait")) == [2, 2, 2, 0])
    }

    @Test func `a call counts once, whatever it took`() throws {
        let world = try ClientWorld()
        world.workers[0].counts.withLock { $0.isIll = true }
        let call = world.call(Work.tryAgain)
        world.network.run(for: .seconds(60))
        #expect(call.error?.code == .unavailable)
        #expect(world.workers[0].started > 1)
        #expect(world.client.snapshot.retries > 0)
        #expect(counts(try statistics(world, "TryAgain")) == [1, 1, 1, 0])
    }

    @Test func `its time is what the caller waited`() throws {
        let world = try ClientWorld()
        try world.warm()
        world.workers[0].counts.withLock { $0.delay = .milliseconds(250) }
        let call = world.call(Work.sleep)
        world.network.run(for: .seconds(1))
        #expect(call.isSuccess)
        let median = try #require(try statistics(world, "Sleep").durations.quantile(0.5))
        #expect(median >= .milliseconds(250))
        #expect(median < .milliseconds(350))
    }

    @Test func `what an interceptor refuses has failed`() throws {
        struct Refusing: RPCInterceptor {
            func intercept(
                _ call: InterceptedCall, next: (InterceptedCall) async throws -> Void
            ) async throws {
                throw RPCError(.permissionDenied)
            }
        }
        let world = try ClientWorld { $0.interceptors = [Refusing()] }
        #expect(world.call(Work.name).error?.code == .permissionDenied)
        #expect(counts(try statistics(world, "Name")) == [1, 1, 1, 0])
    }

    @Test func `no more methods are kept apart than the limit says`() {
        let ledger = CallLedger()
        func name(_ number: Int) -> EncodedName {
            EncodedName(service: "test.Many", method: "Method\(number)")
        }
        for number in 0..<CallLedger.methodsMax {
            ledger.ended(ledger.began(name(number)), after: .zero, failed: false)
        }
        #expect(ledger.began(name(CallLedger.methodsMax)) == nil)
        #expect(ledger.began(name(7)) == 7)
        ledger.ended(nil, after: .zero, failed: true)
        let statistics = ledger.statistics
        #expect(statistics.count == CallLedger.methodsMax)
        #expect(statistics.last?.name == "Method\(CallLedger.methodsMax - 1)")
        #expect(statistics.allSatisfy { $0.failed == 0 })
    }
}

@Suite("RPCClient.callBytes", .timeLimit(.minutes(10)))
struct LentReplyTests {
    private struct Refusal: Error {}

    @Test func `what the body throws is thrown, and repeats nothing`() throws {
        let world = try ClientWorld()
        let client = world.client
        #expect(throws: Refusal.self) {
            try world.run {
                try await client.callBytes(Work.tryAgain, []) { _ in throw Refusal() }
            }
        }
        #expect(world.workers[0].started == 1)
        #expect(world.client.snapshot.inFlight == 0)
    }

    @Test func `it is repeated as other calls are`() throws {
        let world = try ClientWorld()
        try world.warm()
        world.workers[0].counts.withLock { $0.isIll = true }
        let client = world.client
        let call = world.start { try await client.callBytes(Work.tryAgain, []) { $0.byteCount } }
        world.network.runUntilIdle()
        // The first one warmed it.
        #expect(world.workers[0].started == 2)
        world.workers[0].counts.withLock { $0.isIll = false }
        world.network.run(for: .seconds(30))
        #expect(call.value == 1)
    }

    @Test func `interceptors and hedges stand around it, too`() throws {
        struct Marking: RPCInterceptor {
            func intercept(
                _ call: InterceptedCall, next: (InterceptedCall) async throws -> Void
            ) async throws {
                var call = call
                call.metadata.add("there", for: "mark")
                try await next(call)
            }
        }
        let world = try ClientWorld {
            $0.interceptors = [Marking()]
            $0.hedging = HedgingPolicy()
        }
        let client = world.client
        let bytes = try world.run {
            try await client.callBytes(Work.tryAgain, []) { [UInt8](decoding: $0) }
        }
        #expect(bytes == [UInt8(ascii: "a")])
        let metadata = world.workers[0].counts.withLock { $0.metadata }
        #expect(metadata.map { $0["mark"] } == ["there"])
    }
}
