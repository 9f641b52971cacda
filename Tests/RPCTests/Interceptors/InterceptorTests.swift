import NetPoll
import NetPollTesting
import Synchronization
import Testing

@testable import RPC

/// Notes what it sees, under its name.
private final class Scribe: RPCInterceptor {
    let name: String
    let log: Log

    final class Log: Sendable {
        private let lines = Mutex<[String]>([])
        func add(_ line: String) { lines.withLock { $0.append(line) } }
        var all: [String] { lines.withLock { $0 } }
    }

    init(_ name: String, _ log: Log) {
        self.name = name
        self.log = log
    }

    func intercept(
        _ call: InterceptedCall, next: (InterceptedCall) async throws -> Void
    ) async throws {
        log.add("\(name) begins \(call.method)")
        var call = call
        call.metadata.add(name, for: "seen-by")
        do {
            try await next(call)
            log.add("\(name) ok")
        } catch {
            log.add("\(name) \((error as? RPCError)?.code.description ?? "other")")
            throw error
        }
    }
}

/// Does as it is told.
private struct Doing: RPCInterceptor {
    let act:
        @Sendable (InterceptedCall, (InterceptedCall) async throws -> Void) async throws -> Void

    func intercept(
        _ call: InterceptedCall, next: (InterceptedCall) async throws -> Void
    ) async throws {
        try await act(call, next)
    }
}

@Suite("Interceptors, simulated", .timeLimit(.minutes(10)))
struct InterceptorTests {
    @Test func `the first one registered is outermost, on both sides`() throws {
        let log = Scribe.Log()
        let world = try ClientWorld(interceptors: [Scribe("s1", log), Scribe("s2", log)]) {
            $0.interceptors = [Scribe("c1", log), Scribe("c2", log)]
        }
        let call = world.call(Work.name)
        world.network.run(for: .seconds(1))
        #expect(call.isSuccess)
        #expect(
            log.all == [
                "c1 begins Name", "c2 begins Name", "s1 begins Name", "s2 begins Name",
                "s2 ok", "s1 ok", "c2 ok", "c1 ok",
            ])
        let metadata = world.workers[0].counts.withLock { $0.metadata.last }
        let seen = metadata?.entries.filter { $0.key == "seen-by" }.map(\.value)
        #expect(seen == ["c1", "c2", "s1", "s2"])
    }

    @Test func `outcomes pass through all of them`() throws {
        let log = Scribe.Log()
        let world = try ClientWorld(interceptors: [Scribe("s", log)]) {
            $0.interceptors = [Scribe("c", log)]
        }
        world.workers[0].counts.withLock { $0.isIll = true }
        let call = world.call(Work.tryIt)
        world.network.run(for: .seconds(1))
        #expect(call.error?.code == .unavailable)
        #expect(log.all == ["c begins Try", "s begins Try", "s unavailable", "c unavailable"])
    }

    @Test func `streams are gone around as a whole`() throws {
        let log = Scribe.Log()
        let world = try ClientWorld(interceptors: [Scribe("s", log)]) {
            $0.interceptors = [Scribe("c", log)]
        }
        let client = world.client
        let all = try world.run {
            try await client.call(Work.count, [1, 2]) { numbers in
                var all: [UInt8] = []
                for try await number in numbers { all += number }
                return all
            }
        }
        #expect(all == [1, 2])
        world.network.runUntilIdle()
        #expect(Set(log.all) == ["c begins Count", "s begins Count", "s ok", "c ok"])
        #expect(log.all.first == "c begins Count")
    }

    @Test func `a server's interceptor refuses a call that its handler never sees`() throws {
        let guardian = Doing { call, next in
            guard call.metadata["token"] == "secret" else {
                throw RPCError(.unauthenticated, "who are you?")
            }
            try await next(call)
        }
        let world = try ClientWorld(interceptors: [guardian])
        let refused = world.call(Work.name)
        let taken = world.call(Work.name, CallOptions(metadata: ["token": "secret"]))
        world.network.run(for: .seconds(1))
        #expect(refused.error?.code == .unauthenticated)
        #expect(taken.isSuccess)
        #expect(world.workers[0].started == 1)
    }

    @Test func `one that ends a call without its reply is told so`() throws {
        let silent = Doing { _, _ in }
        let server = try ClientWorld(interceptors: [silent])
        let client = try ClientWorld { $0.interceptors = [silent] }
        for world in [server, client] {
            let call = world.call(Work.name)
            world.network.run(for: .seconds(1))
            #expect(call.error?.code == .internal)
            #expect(world.workers[0].started == 0)
        }
    }

    @Test func `a deadline can be brought forward, and not put off`() throws {
        let hasty = Doing { call, next in
            var call = call
            call.deadline = call.deadline.map { $0 + .seconds(-28) }
            try await next(call)
        }
        let slow = Doing { call, next in
            var call = call
            call.deadline = nil
            try await next(call)
        }
        for (interceptor, end) in [(hasty, 2), (slow, 30)] {
            let world = try ClientWorld { $0.interceptors = [interceptor] }
            let call = world.call(Work.wait)
            world.network.run(for: .seconds(end) - .milliseconds(100))
            #expect(!call.isOver)
            world.network.run(for: .milliseconds(200))
            #expect(call.error?.code == .deadlineExceeded)
        }
    }

    @Test func `a handler is cancelled at the deadline that an interceptor of its server sets`()
        throws
    {
        let hasty = Doing { call, next in
            var call = call
            call.deadline = call.deadline.map { $0 + .seconds(-28) }
            try await next(call)
        }
        let world = try ClientWorld(interceptors: [hasty])
        let call = world.call(Work.wait)
        world.network.run(for: .milliseconds(1_900))
        #expect(world.workers[0].started == 1)
        #expect(world.workers[0].cancelled == 0 && !call.isOver)
        world.network.run(for: .milliseconds(200))
        #expect(world.workers[0].cancelled == 1)
        #expect(call.error?.code == .deadlineExceeded)
        #expect(call.error?.execution == .answered)
    }

    @Test func `an inline handler within them gives the same reply`() throws {
        let log = Scribe.Log()
        var handlers = RPCWorld.handlers(Witness())
        handlers.interceptors = [Scribe("s", log)]
        let world = try RPCWorld(handlers: handlers)
        let connection = try world.connect()
        let reply = try world.run { try await connection.call(Echo.inline, [1, 2]) }
        #expect(reply == [1, 2])
        #expect(log.all == ["s begins Inline", "s ok"])
    }

    @Test func `they go around a call once, however often it is attempted`() throws {
        let log = Scribe.Log()
        let world = try ClientWorld { $0.interceptors = [Scribe("c", log)] }
        world.workers[0].counts.withLock { $0.isIll = true }
        let call = world.call(Work.tryAgain)
        world.network.run(for: .seconds(5))
        #expect(call.error?.code == .unavailable)
        #expect(world.workers[0].started == 3)
        #expect(log.all == ["c begins TryAgain", "c unavailable"])
    }
}
