import NetPoll
import NetPollTesting
import Synchronization
import Testing

@Suite("Connections that tasks dial", .timeLimit(.minutes(10)))
struct AsyncDialTests {
    /// What became of a task, which ended or not.
    private final class Outcome: Sendable {
        private let stored = Mutex<[String]>([])

        var texts: [String] { stored.withLock { $0 } }

        func note(_ text: String) { stored.withLock { $0.append(text) } }
    }

    /// Whether a dial names its host.
    enum Way: CaseIterable {
        case byAddress
        case byName
    }

    private let network = SimulatedNetwork()
    private let client: EventLoop
    private let resolver: SimulatedResolver
    private let servers = Recorders {
        $0.onReceive = { bytes, connection in connection.write(bytes.bytes) }
    }

    init() {
        client = network.makeLoop()
        resolver = SimulatedResolver(loop: client)
    }

    private func listen(_ host: String) throws -> SocketAddress {
        try network.makeLoop().listen(on: SocketAddress(host: host, port: 80)) { [servers] in
            servers.make($0, $1)
        }.address
    }

    /// Says a word and notes the echo and who gave it; or why there is none.
    private func greet(
        _ host: String, _ outcome: Outcome, _ configuration: ConnectConfiguration = .init()
    ) {
        let (client, resolver) = (client, resolver)
        Task(executorPreference: client) {
            do {
                try await client.withConnection(
                    host: host, port: 80, configuration: configuration, resolver: resolver
                ) { connection in
                    try await connection.write("word")
                    for try await bytes in connection.inbound {
                        let text = String(decoding: bytes, as: UTF8.self)
                        outcome.note("\(text) from \(connection.peer)")
                        connection.closeWrite()
                    }
                }
                outcome.note("closed")
            } catch {
                outcome.note("\(error)")
            }
        }
    }

    @Test func `a host's silent IPv6 address loses to its IPv4 one after 250 ms`() throws {
        _ = try listen("192.0.2.1")
        let silent = try SocketAddress(host: "2001:db8::1", port: 80)
        network.setRoute(.blackHole, to: silent)
        try resolver.answer("example", .v6, ["2001:db8::1"])
        try resolver.answer("example", .v4, ["192.0.2.1"])
        let outcome = Outcome()
        greet("example", outcome)
        network.run(for: .milliseconds(249))
        #expect(outcome.texts.isEmpty)
        network.run(for: .milliseconds(2))
        #expect(outcome.texts == ["word from 192.0.2.1:80", "closed"])
        #expect(client.registrations == 0, "nothing is left of the loser")
        #expect(network.openDescriptors == 1)
    }

    @Test func `a numeric host needs no resolver, and failures name the host`() throws {
        _ = try listen("192.0.2.1")
        let outcome = Outcome()
        greet("192.0.2.1", outcome)
        network.runUntilIdle()
        #expect(outcome.texts == ["word from 192.0.2.1:80", "closed"])
        greet("unknown", outcome)
        resolver.fail("later", .v4, .temporary)
        greet("later", outcome)
        try resolver.answer("nobody", .v4, ["192.0.2.2"])
        greet("nobody", outcome)
        try resolver.answer("mute", .v4, [], after: nil)
        var configuration = ConnectConfiguration()
        configuration.timeout = .seconds(3)
        greet("mute", outcome, configuration)
        network.run(for: .seconds(4))
        let expected = [
            "connect unknown: notFound", "connect later: temporary",
            "connect nobody (192.0.2.2:80): refused", "connect mute: no answer in time",
        ]
        #expect(Set(outcome.texts.dropFirst(2)) == Set(expected))
        #expect(client.registrations == 0)
    }

    @Test(arguments: Way.allCases)
    func `a task that names no loop connects on its own`(way: Way) throws {
        let address = try listen("192.0.2.1")
        try resolver.answer("example", .v4, ["192.0.2.1"])
        let outcome = Outcome()
        let (client, resolver) = (client, resolver)
        Task(executorPreference: client) {
            do {
                let connection =
                    switch way {
                    case .byAddress: try await Connection.connect(to: address)
                    case .byName:
                        try await Connection.connect(host: "example", port: 80, resolver: resolver)
                    }
                outcome.note(connection.loop === client ? "here" : "elsewhere")
                await connection.close()
            } catch {
                outcome.note("\(error)")
            }
        }
        network.runUntilIdle()
        #expect(outcome.texts == ["here"])
        #expect(client.registrations == 0)
    }

    @Test(arguments: Way.allCases, [false, true])
    func `a dial whose task is cancelled is given up`(way: Way, isUnderWay: Bool) throws {
        let silent = try SocketAddress(host: "192.0.2.9", port: 80)
        network.setRoute(.blackHole, to: silent)
        try resolver.answer("silent", .v4, ["192.0.2.9"])
        let outcome = Outcome()
        let (client, resolver) = (client, resolver)
        let task = Task(executorPreference: client) {
            do throws(ConnectError) {
                switch way {
                case .byAddress: _ = try await Connection.connect(to: silent, on: client)
                case .byName:
                    _ = try await Connection.connect(
                        host: "silent", port: 80, on: client, resolver: resolver)
                }
                outcome.note("connected")
            } catch {
                outcome.note(error.reason == .cancelled ? "cancelled" : "\(error)")
            }
        }
        if isUnderWay {
            network.run(for: .seconds(1))
            #expect(client.registrations > 0)
        }
        #expect(outcome.texts.isEmpty)
        task.cancel()
        network.runUntilIdle()
        #expect(outcome.texts == ["cancelled"])
        #expect(client.registrations == 0 && client.timers == 0)
        #expect(network.openDescriptors == 0)
    }

    @Test func `a name that is still asked for is given up with its task`() throws {
        try resolver.answer("slow", .v6, ["2001:db8::1"], after: .seconds(2))
        try resolver.answer("slow", .v4, ["192.0.2.1"], after: .seconds(2))
        _ = try listen("192.0.2.1")
        let outcome = Outcome()
        let (client, resolver) = (client, resolver)
        let task = Task(executorPreference: client) {
            do throws(ConnectError) {
                _ = try await Connection.connect(
                    host: "slow", port: 80, on: client, resolver: resolver)
            } catch {
                outcome.note("\(error)")
            }
        }
        network.run(for: .seconds(1))
        task.cancel()
        network.run(for: .seconds(3))
        #expect(outcome.texts == ["connect slow: cancelled"])
        #expect(servers.all.isEmpty, "late answers connect nobody")
    }

    @Test(arguments: Way.allCases)
    func `cancelling a scope that is connected aborts its connection`(way: Way) throws {
        let address = try listen("192.0.2.1")
        try resolver.answer("example", .v4, ["192.0.2.1"])
        let outcome = Outcome()
        let (client, resolver) = (client, resolver)
        let task = Task(executorPreference: client) {
            @Sendable func read(_ connection: AsyncConnection) async throws {
                outcome.note("connected")
                for try await _ in connection.inbound {}
            }
            do {
                switch way {
                case .byAddress: try await client.withConnection(to: address, read)
                case .byName:
                    try await client.withConnection(
                        host: "example", port: 80, resolver: resolver, read)
                }
            } catch {
                outcome.note("\(error)")
            }
        }
        network.run(for: .seconds(1))
        #expect(outcome.texts == ["connected"])
        #expect(servers.all.first?.connection != nil)
        task.cancel()
        network.runUntilIdle()
        #expect(outcome.texts == ["connected", "the task was cancelled"])
        #expect(servers.all.first?.closeReason == .reset)
        #expect(client.registrations == 0)
    }

    @Test(arguments: Way.allCases)
    func `cancelling a scope that is not connected yet never runs its body`(way: Way) throws {
        let silent = try SocketAddress(host: "192.0.2.9", port: 80)
        network.setRoute(.blackHole, to: silent)
        try resolver.answer("silent", .v4, ["192.0.2.9"])
        let outcome = Outcome()
        let (client, resolver) = (client, resolver)
        let task = Task(executorPreference: client) {
            do {
                switch way {
                case .byAddress:
                    try await client.withConnection(to: silent) { _ in outcome.note("body") }
                case .byName:
                    try await client.withConnection(
                        host: "silent", port: 80, resolver: resolver
                    ) { _ in outcome.note("body") }
                }
            } catch {
                let reason = (error as? ConnectError)?.reason
                outcome.note(reason == .cancelled ? "cancelled" : "\(error)")
            }
        }
        network.run(for: .seconds(1))
        task.cancel()
        network.runUntilIdle()
        #expect(outcome.texts == ["cancelled"])
        #expect(client.registrations == 0)
    }
}
