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
            how many are connected, lost and away, and how many messages came and were acknowledged. \
            Who loses its connection comes back after a random time, which grows while nobody is \
            there, or when the server wished it.

            Ends when every device has got --expect different messages of its inbox, with SIGINT or \
            SIGTERM, or with --seconds; exits with 1 where --expect was not reached.
            """)

    @Option(help: "The server's WebSocket, with a numeric host.")
    var url = "ws://127.0.0.1:8080/ws"

    @Option(help: "How many devices.")
    var count = 1_000

    @Option(help: "What their users' names begin with.")
    var prefix = "device-"

    @Option(help: "Devices that connect at a time.")
    var connecting = 100

    @Option(help: "Devices that connect for the first time, a second; 0 for no bound.")
    var ramp = 0

    @Option(help: "Of every hundred devices the last so many acknowledge nothing.")
    var silent = 0

    @Option(
        help: """
            Of every hundred devices the first so many go away once they were welcomed, and come back \
            after --away seconds.
            """)
    var offline = 0

    @Option(help: "How long devices stay away; 0 for until SIGHUP.")
    var away = 0

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
        guard count > 0, connecting > 0 else {
            throw ValidationError("--count and --connecting have to be positive.")
        }
        guard seconds >= 0, ramp >= 0, away >= 0 else {
            throw ValidationError("--seconds, --ramp and --away cannot be negative.")
        }
        guard (0...100).contains(silent), (0...100).contains(offline) else {
            throw ValidationError("--silent and --offline are from 0 to 100.")
        }
    }

    func run() async throws {
        Inputs.raiseOpenFiles()
        let group = try EventLoopGroup()
        let fleet = Fleet(
            url: url, prefix: prefix, topic: topic, signer: try await signer(), group: group,
            plan: plan)
        let ends = try ProcessSignal.events(.interrupt, .terminate)
        let returns = try ProcessSignal.events(.hangUp)
        let isReached = await withTaskGroup(of: Bool?.self) { tasks in
            tasks.addTask {
                // Cancelled: the devices that are left are not needed any more.
                try? await fleet.start()
                return nil
            }
            tasks.addTask {
                for await _ in returns { fleet.comeBack() }
                return nil
            }
            tasks.addTask {
                for await _ in ends { break }
                return false
            }
            tasks.addTask { await fleet.watch(seconds: seconds) }
            for await case let isReached? in tasks {
                tasks.cancelAll()
                return isReached
            }
            return false
        }
        Output.line(fleet.summary)
        await group.shutdown()
        guard isReached || expect == nil else { throw ExitCode(1) }
    }

    private var plan: Fleet.Plan {
        Fleet.Plan(
            count: count, connecting: connecting, ramp: ramp, silentPercent: silent,
            offlinePercent: offline, away: away > 0 ? .seconds(away) : nil, expect: expect)
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
