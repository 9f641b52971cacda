import ArgumentParser
import PushWire
import Hub
import HubJWT
import JWTKit
import NetPoll
import WSFrame
import WSTransport

/// Many devices of a push server in one process: they connect, acknowledge what comes to their inboxes,
/// come back when they are lost, and tell what they saw.
@main
struct PushDevices: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "push-devices",
        abstract: "Simulates devices of a push-server.",
        discussion: """
            Device number N is user PREFIXN with one session. Each second, and at the end, a line tells \
            how many are connected and how many messages came and were acknowledged. Ends when every \
            device has got --expect different messages of its inbox, with SIGINT or SIGTERM, or with \
            --seconds; exits with 1 where --expect was not reached.
            """)

    @Option(help: "The server's WebSocket, with a numeric host.")
    var url = "ws://127.0.0.1:8080/ws"

    @Option(help: "How many devices.")
    var count = 1_000

    @Option(help: "What their users' names begin with.")
    var prefix = "device-"

    @Option(help: "Devices that connect at a time.")
    var connecting = 100

    @Option(
        help: "A file with the key to sign the devices' tokens with; without it they say names.")
    var tokenKeyFile: String?

    @Option(help: "A topic to subscribe to.")
    var topic: String?

    @Option(help: "Messages that each device waits for.")
    var expect: Int?

    @Option(help: "How long to stay; 0 for until the end.")
    var seconds = 0

    func validate() throws {
        guard count > 0, connecting > 0, seconds >= 0 else {
            throw ValidationError("--count and --connecting have to be positive.")
        }
    }

    func run() async throws {
        Inputs.raiseOpenFiles()
        let group = try EventLoopGroup()
        let fleet = Fleet(
            url: url, prefix: prefix, topic: topic, signer: try await signer(), group: group,
            limits: (count, connecting, expect))
        fleet.start()
        let signals = try ProcessSignal.events(.interrupt, .terminate)
        let isReached = await withTaskGroup(of: Bool.self) { tasks in
            tasks.addTask {
                for await _ in signals { break }
                return false
            }
            tasks.addTask { await fleet.watch(seconds: seconds) }
            let first = await tasks.next() ?? false
            tasks.cancelAll()
            return first
        }
        print(fleet.summary)
        await group.shutdown()
        guard isReached || expect == nil else { throw ExitCode(1) }
    }

    private func signer() async throws -> Signer? {
        guard let tokenKeyFile else { return nil }
        guard let text = Inputs.text(ofFile: tokenKeyFile) else {
            throw ValidationError("--token-key-file: \(tokenKeyFile) cannot be read")
        }
        return await Signer(key: text.filter { !$0.isWhitespace })
    }
}

/// Signs devices' tokens, as the application would that knows the users.
struct Signer: Sendable {
    private let keys = JWTKeyCollection()

    init(key: String) async {
        await keys.add(hmac: HMACKey(from: key), digestAlgorithm: .sha256)
    }

    /// A token of a user, good for an hour.
    func token(for user: String, topic: String?, at now: Timestamp) async throws -> String {
        try await keys.sign(
            HubClaims(user: user, topics: topic.map { [$0] } ?? [], expiry: now + .seconds(3_600)))
    }
}
