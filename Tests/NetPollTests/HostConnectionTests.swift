import NetPoll
import NetPollTesting
import Synchronization
import Testing

@Suite("Connecting to a host by name", .timeLimit(.minutes(10)))
struct HostConnectionTests {
    private let world = SimulatedWorld(configuration: .init())
    private let resolver: SimulatedResolver
    private let servers = Recorders()

    init() {
        resolver = SimulatedResolver(loop: world.loop)
    }

    private func listen(_ host: String) throws -> SocketAddress {
        try world.loop.listen(on: SocketAddress(host: host, port: 80)) { [servers] in
            servers.make($0, $1)
        }.address
    }

    /// The outcome and how long it took.
    private func connect(
        _ host: String, timeout: Duration = .seconds(10), from localAddress: SocketAddress? = nil
    ) -> (String, Duration) {
        var configuration = ConnectConfiguration()
        configuration.timeout = timeout
        configuration.localAddress = localAddress
        let start = world.network.now
        var text = ""
        world.loop.connect(
            host: host, port: 80, configuration: configuration, resolver: resolver
        ) { result in
            switch result {
            case .success(let connection):
                text = "connected"
                connection.abort()
            case .failure(let error): text = "\(error.reason)"
            }
        }
        #expect(text == "", "the completion is not called from within connect")
        #expect(world.network.run(within: .seconds(60)) { text != "" })
        let duration = world.network.now - start
        world.network.runUntilIdle()
        return (text, duration)
    }

    @Test func `an unreachable IPv6 costs nothing, a silent one 250 ms`() throws {
        let listening = try listen("192.0.2.1")
        let silent = try SocketAddress(host: "2001:db8::1", port: 80)
        try resolver.answer("example", .v6, ["2001:db8::1"])
        try resolver.answer("example", .v4, ["192.0.2.1"])
        world.network.setRoute(.unreachable, to: silent)
        #expect(connect("example") == ("connected", .zero))
        world.network.setRoute(.blackHole, to: silent)
        #expect(connect("example") == ("connected", .milliseconds(250)))
        #expect(servers.all.count == 2)
        // Of the losers nothing is left.
        #expect(world.loop.registrations == 1)
        #expect(world.network.openDescriptors == 1)
        #expect(world.loop.nextTimer == nil)
        #expect(listening.port == 80)
    }

    @Test func `an attempt that connects after another won is dropped`() throws {
        let (first, _) = (try listen("2001:db8::1"), try listen("192.0.2.1"))
        try resolver.answer("example", .v6, ["2001:db8::1"])
        try resolver.answer("example", .v4, ["192.0.2.1"])
        world.network.setRoute(.delayed(.milliseconds(300)), to: first)
        #expect(connect("example") == ("connected", .milliseconds(250)))
        world.network.run(for: .seconds(1))
        #expect(servers.all.count == 1)
        #expect(world.loop.registrations == 2)
    }

    @Test func `a slow IPv6 answer is waited for 50 ms`() throws {
        _ = try listen("192.0.2.1")
        try resolver.answer("example", .v6, ["2001:db8::1"], after: .seconds(3))
        try resolver.answer("example", .v4, ["192.0.2.1"])
        #expect(connect("example") == ("connected", .milliseconds(50)))
    }

    @Test func `the timeout bounds resolution and attempts together`() throws {
        try resolver.answer("nobody", .v6, [], after: nil)
        try resolver.answer("nobody", .v4, [], after: nil)
        #expect(connect("nobody", timeout: .seconds(3)) == ("timedOut", .seconds(3)))
        let silent = try SocketAddress(host: "192.0.2.9", port: 80)
        world.network.setRoute(.blackHole, to: silent)
        try resolver.answer("silent", .v4, ["192.0.2.9"], after: .seconds(2))
        #expect(connect("silent", timeout: .seconds(3)) == ("timedOut", .seconds(3)))
        #expect(world.loop.registrations == 0)
        #expect(world.network.openDescriptors == 0)
    }

    @Test func `an unknown host and a failing resolver are told apart`() throws {
        #expect(connect("unknown").0 == "unresolved(NetPoll.ResolveError.notFound)")
        resolver.fail("later", .v4, .temporary)
        #expect(connect("later").0 == "unresolved(NetPoll.ResolveError.temporary)")
        try resolver.answer("refusing", .v4, ["192.0.2.1", "192.0.2.2"])
        #expect(connect("refusing").0 == "refused")
    }

    @Test func `a timeout tells what was tried`() throws {
        func error(_ host: String) -> ConnectError? {
            var configuration = ConnectConfiguration()
            configuration.timeout = .seconds(3)
            var found: ConnectError?
            world.loop.connect(
                host: host, port: 80, configuration: configuration, resolver: resolver
            ) { if case .failure(let error) = $0 { found = error } }
            #expect(world.network.run(within: .seconds(60)) { found != nil })
            return found
        }
        let (refusing, silent) = (
            try SocketAddress(host: "192.0.2.1", port: 80),
            try SocketAddress(host: "192.0.2.9", port: 80)
        )
        world.network.setRoute(.blackHole, to: silent)
        // The resolver never answers for the other family.
        try resolver.answer("refusing", .v6, [], after: nil)
        try resolver.answer("refusing", .v4, [refusing.host])
        #expect(error("refusing") == ConnectError(.refused, to: refusing, host: "refusing"))
        try resolver.answer("both", .v4, [silent.host, refusing.host])
        #expect(error("both") == ConnectError(.timedOut, to: silent, host: "both"))
        try resolver.answer("nobody", .v6, [], after: nil)
        try resolver.answer("nobody", .v4, [], after: nil)
        #expect(error("nobody") == ConnectError(.timedOut, to: nil, host: "nobody"))
    }

    @Test(arguments: ["192.0.2.7", "2001:db8::7"])
    func `with a local address only those of its family are tried`(host: String) throws {
        let local = try SocketAddress(host: host, port: 0)
        let (v6, v4) = (try listen("2001:db8::1"), try listen("192.0.2.1"))
        let isV4 = host == "192.0.2.7"
        // If the other family's was tried too, it would win.
        world.network.setRoute(.delayed(.milliseconds(300)), to: isV4 ? v4 : v6)
        try resolver.answer("both", .v6, [v6.host])
        try resolver.answer("both", .v4, [v4.host])
        #expect(connect("both", from: local) == ("connected", .milliseconds(300)))
        #expect(servers.addresses.map(\.host) == [host])
        // The other family's answer is not waited for.
        try resolver.answer("slow", .v6, [v6.host], after: isV4 ? nil : .zero)
        try resolver.answer("slow", .v4, [v4.host], after: isV4 ? .zero : nil)
        #expect(connect("slow", from: local) == ("connected", .milliseconds(300)))
        try resolver.answer("other", isV4 ? .v6 : .v4, [isV4 ? v6.host : v4.host])
        let outcome = connect("other", from: local)
        #expect(outcome == ("unresolved(NetPoll.ResolveError.notFound)", .zero))
        #expect(world.loop.registrations == 2, "only the listeners are left")
    }

    @Test func `cancelling ends resolution and every attempt`() throws {
        let silent = try SocketAddress(host: "192.0.2.9", port: 80)
        world.network.setRoute(.blackHole, to: silent)
        try resolver.answer("silent", .v4, ["192.0.2.9"])
        for passed in [Duration.zero, .seconds(1)] {
            var reasons: [ConnectError.Reason] = []
            let attempt = world.loop.connect(host: "silent", port: 80, resolver: resolver) {
                if case .failure(let error) = $0 { reasons.append(error.reason) }
            }
            world.network.run(for: passed)
            attempt.cancel()
            #expect(reasons == [.cancelled])
            world.network.run(for: .seconds(20))
            #expect(reasons == [.cancelled])
            #expect(world.loop.registrations == 0)
            #expect(world.network.openDescriptors == 0)
        }
    }

    @Test func `a numeric host is not resolved`() throws {
        _ = try listen("192.0.2.1")
        #expect(connect("192.0.2.1") == ("connected", .zero))
    }

    @Test func `a host with a zero byte is none, whatever stands before it`() async throws {
        #expect(throws: SocketAddressError.self) {
            try SocketAddress(host: "127.0.0.1\0.example", port: 80)
        }
        let found = await withCheckedContinuation { continuation in
            SystemResolver.shared.resolve("localhost\0.example", port: 80, family: .v4) {
                continuation.resume(returning: $0)
            }
        }
        #expect(found == .failure(.notFound))
    }

    /// Asks again with each answer, so that questions wait all the time.
    private final class Inquirer: Sendable {
        let resolver = SystemResolver(threadsMax: 1)
        private let state = Mutex((left: 2_000, heldMax: 0))

        var heldMax: Int { state.withLock { $0.heldMax } }

        func ask(_ done: @escaping @Sendable () -> Void) {
            resolver.resolve("127.0.0.1", port: 80, family: .v4) { [self] _ in
                let held = resolver.questionsHeld
                let left = state.withLock { state in
                    state.heldMax = max(state.heldMax, held)
                    state.left -= 1
                    return state.left
                }
                if left > 0 { ask(done) } else if left == 0 { done() }
            }
        }
    }

    @Test func `a resolver that is never without questions forgets those it answered`() async {
        let inquirer = Inquirer()
        await withCheckedContinuation { continuation in
            for _ in 0..<10 { inquirer.ask { continuation.resume() } }
        }
        #expect(inquirer.heldMax < 200)
    }

    @Test func `the system's resolver knows localhost and refuses what it cannot queue`() async {
        let found = await withCheckedContinuation { continuation in
            SystemResolver().resolve("localhost", port: 80, family: .v4) {
                continuation.resume(returning: $0)
            }
        }
        #expect(found.map { $0.first } == .success(.v4(UInt32(0x7f00_0001).bigEndian, port: 80)))
        // Another one: a thread that has just answered counts until it ends. No thread may answer until
        // all are asked, so the bound is met exactly.
        let resolver = SystemResolver(threadsMax: 2, waitingMax: 500)
        let gate = Mutex(())
        let outcomes = AsyncStream<Bool> { continuation in
            gate.withLock { _ in
                for _ in 0..<600 {
                    resolver.resolve("127.0.0.1", port: 80, family: .v4) { result in
                        if case .failure(.overloaded) = result {
                            continuation.yield(false)
                        } else {
                            gate.withLock { _ in }
                            continuation.yield(true)
                        }
                    }
                }
            }
        }
        var (answered, refused) = (0, 0)
        for await isAnswered in outcomes {
            if isAnswered { answered += 1 } else { refused += 1 }
            if answered + refused == 600 { break }
        }
        #expect((answered, refused) == (502, 98))
    }
}
