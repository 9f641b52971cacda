import ArgumentParser
import ConnPool
import Hub
import HubHTTP
import HubUpstream
import HubWebhooks
import NetPoll
import PrometheusText
import PushWire
import RPC

/// Where the server tells what happens: options, and what they lead to.
struct UpstreamOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            """
            The application that is asked whether devices may connect, and told what they do: the RPC \
            service longwire.Upstream. Calls have the key of the variable PUSH_UPSTREAM_KEY.
            """, valueName: "host:port"))
    var upstreamRPC: String?

    @Option(
        help: ArgumentHelp(
            """
            What becomes of devices while that application does not answer: refuse them, and let them come \
            again later, or admit those whose credentials are good. (default: refuse)
            """, valueName: "refuse|admit"))
    var upstreamAway: Away?

    /// What becomes of devices while the application does not answer.
    enum Away: String, ExpressibleByArgument {
        case refuse
        case admit

        var policy: ApplicationAuthenticator.AwayPolicy {
            switch self {
            case .refuse: .refuse(retryAfter: .seconds(5))
            case .admit: .admit
            }
        }
    }

    @Option(
        help: ArgumentHelp(
            """
            A URL that what devices do is posted to, signed with the secrets of the variable \
            PUSH_WEBHOOK_SECRET or of --webhook-secret-file.
            """, valueName: "url"))
    var webhook: String?

    @Option(help: "A file of secrets of the webhook, one a line, each of at least 16 bytes.")
    var webhookSecretFile: String?

    func validate() throws {
        if let upstreamRPC { _ = try Self.endpoint(upstreamRPC) }
        guard upstreamAway == nil || upstreamRPC != nil else {
            throw ValidationError("--upstream-away is of no use without --upstream-rpc.")
        }
        guard webhookSecretFile == nil || webhook != nil else {
            throw ValidationError("--webhook-secret-file is of no use without --webhook.")
        }
    }

    /// - Throws: ``WebhookError``.
    func makeUpstream(on group: EventLoopGroup) throws -> Upstream {
        var upstream = Upstream(whenAway: (upstreamAway ?? .refuse).policy)
        let loop = group.loops[0]
        if let upstreamRPC {
            var configuration = RPCApplication.Configuration()
            if let key = Inputs.variable("PUSH_UPSTREAM_KEY") {
                configuration.metadata.add("Bearer \(key)", for: "authorization")
            }
            let application = RPCApplication(
                at: try Self.endpoint(upstreamRPC), on: group.loops, configuration: configuration)
            upstream.application = application
            upstream.told.append(("rpc", UpstreamEvents(to: application, on: loop)))
        }
        if let webhook {
            let secrets = try WebhookSecrets(lines: try secretLines())
            let sink = try Webhook(url: webhook, secrets: secrets, on: group.loops)
            upstream.webhook = sink
            upstream.told.append(("webhook", UpstreamEvents(to: sink, on: loop)))
        }
        return upstream
    }

    private func secretLines() throws -> String {
        guard let webhookSecretFile else { return Inputs.variable("PUSH_WEBHOOK_SECRET") ?? "" }
        guard let lines = Inputs.text(ofFile: webhookSecretFile) else {
            throw ValidationError("--webhook-secret-file: \(webhookSecretFile) cannot be read")
        }
        return lines
    }

    private static func endpoint(_ text: String) throws -> TCPEndpoint {
        let colon = text.lastIndex(of: ":") ?? text.startIndex
        var host = String(text[..<colon])
        guard !host.isEmpty, let port = UInt16(text[colon...].dropFirst()), port > 0 else {
            throw ValidationError("--upstream-rpc is HOST:PORT, not '\(text)'.")
        }
        if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
        do {
            return .address(try SocketAddress(host: host, port: port))
        } catch {
            // It is a name.
            return .host(host, port: port)
        }
    }
}

/// Who is told what happens.
struct Upstream {
    let whenAway: ApplicationAuthenticator.AwayPolicy
    var application: RPCApplication?
    var webhook: Webhook?
    /// Events, and the name of their way.
    var told: [(way: String, events: UpstreamEvents)] = []

    /// Who decides about devices, after `first` has.
    func authenticator(after first: any HubAuthenticator) -> any HubAuthenticator {
        application.map { ApplicationAuthenticator($0, after: first, whenAway: whenAway) } ?? first
    }

    /// Lets `/metrics` of an API say what became of events.
    func report(to metrics: PrometheusMetrics, of api: PushAPI) {
        for (way, events) in told {
            let report = UpstreamMetricsReport(
                events, label: "hub.upstream", sink: way, factory: metrics)
            api.onMetrics { report.report() }
        }
    }

    /// Lets what happened be told, on all ways at the same time, and closes their connections.
    func drain() async {
        await withDiscardingTaskGroup { tasks in
            for (_, events) in told {
                tasks.addTask { await events.drain(deadline: .seconds(5)) }
            }
        }
        await application?.close()
        await webhook?.close()
    }
}
