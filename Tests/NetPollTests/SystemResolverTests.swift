import NetPoll
import NetPollTesting
import Synchronization
import Testing

/// With lookups that hang, as getaddrinfo(3) does where no name server answers.
@Suite("A resolver whose lookups hang", .timeLimit(.minutes(10)))
struct SystemResolverTests {
    /// Holds every lookup back until it is opened.
    private final class Gate: Sendable {
        let asked = Atomic(0)
        private let semaphore = Semaphore()

        func pass() {
            asked.add(1, ordering: .relaxed)
            semaphore.wait()
            semaphore.signal()
        }

        func open() { semaphore.signal() }
    }

    /// Tells of each answer, once it was given.
    private final class Witness: Resolver {
        let answers = AsyncStream<Void>.makeStream()
        private let resolver: SystemResolver

        init(_ resolver: SystemResolver) { self.resolver = resolver }

        func resolve(
            _ host: String, port: UInt16, family: AddressFamily,
            completion: @escaping @Sendable (Result<[SocketAddress], ResolveError>) -> Void
        ) {
            resolver.resolve(host, port: port, family: family) { [answers] result in
                completion(result)
                answers.continuation.yield()
            }
        }
    }

    private let world = SimulatedWorld(configuration: .init())
    private let gate = Gate()
    private let resolver: SystemResolver

    init() {
        // Connecting asks two questions: two connects hang and three wait.
        resolver = SystemResolver(threadsMax: 4, waitingMax: 6) { [gate] _, _, _ in
            gate.pass()
            return .success([])
        }
    }

    @Test func `connects end by their deadline, by cancellation, or are refused`() async {
        var ends: [(name: Int, reason: ConnectError.Reason, after: Duration)] = []
        let start = world.network.now
        let witness = Witness(resolver)
        func connect(_ name: Int) -> ConnectAttempt {
            world.loop.connect(host: "silent", port: 80, resolver: witness) { [world] result in
                guard case .failure(let error) = result else { return }
                ends.append((name, error.reason, world.network.now - start))
            }
        }
        let attempts = (0..<5).map(connect)
        world.network.run(for: .seconds(1))
        #expect(ends.isEmpty)
        // No room for more questions.
        _ = connect(5)
        world.network.run(for: .seconds(1))
        #expect(ends.map(\.name) == [5])
        #expect(ends.last?.reason == .unresolved(.overloaded))
        // One whose questions hang, and one whose questions wait.
        for name in [0, 4] {
            attempts[name].cancel()
            #expect(ends.last?.name == name)
            #expect(ends.last?.reason == .cancelled)
        }
        world.network.run(for: .seconds(20))
        #expect(ends.count == 6)
        for end in ends[3...] {
            #expect(end.reason == .timedOut)
            #expect(end.after == .seconds(10))
        }
        #expect(world.loop.registrations == 0 && world.loop.timers == 0)
        // Answers that come now find nobody.
        gate.open()
        var isRefused = true
        while isRefused {
            isRefused = await withCheckedContinuation { answered in
                resolver.resolve("later", port: 80, family: .v4) {
                    answered.resume(returning: $0 == .failure(.overloaded))
                }
            }
        }
        // Two of each connect; the threads may answer in another order than they were asked.
        var answers = 0
        for await _ in witness.answers.stream {
            answers += 1
            if answers == 12 { break }
        }
        world.network.run(for: .seconds(1))
        #expect(ends.count == 6)
        #expect(gate.asked.load(ordering: .relaxed) == 11)
    }

    @Test func `a task that waits for a connection ends when it is cancelled`() async throws {
        let group = try EventLoopGroup()
        let loop = group.loops[0]
        let isAsked = AsyncStream<Void>.makeStream()
        let gate = gate
        let resolver = SystemResolver(threadsMax: 4, waitingMax: 6) { _, _, _ in
            isAsked.continuation.yield()
            gate.pass()
            return .success([])
        }
        let waiting = Task {
            try await Connection.connect(host: "silent", port: 80, on: loop, resolver: resolver)
        }
        for await _ in isAsked.stream { break }
        waiting.cancel()
        let error = await #expect(throws: ConnectError.self) { _ = try await waiting.value }
        #expect(error?.reason == .cancelled)
        gate.open()
        await group.shutdown()
    }
}
