import Hub
import HubTesting
import HubWorlds
import NetPollTesting
import Testing
import WSFrame

/// A scripted client that speaks envelopes, in JSON or MessagePack.
final class EnvelopeClient {
    let client: SimulatedClient
    private let spoken: any EnvelopeProtocol

    init(_ client: SimulatedClient, _ spoken: any EnvelopeProtocol = JSONProtocol()) {
        self.client = client
        self.spoken = spoken
    }

    func say(_ envelope: ClientEnvelope) {
        let (bytes, kind) = spoken.encode(envelope)
        client.send(bytes, kind == .text ? .text : .binary)
    }

    /// What the hub said since the last call.
    func take() throws -> [ServerEnvelope] {
        try client.takeTexts().map { try read(Array($0.utf8), .text) }
            + client.takeBinaries().map { try read($0, .binary) }
    }

    private func read(_ bytes: [UInt8], _ kind: MessageKind) throws -> ServerEnvelope {
        try spoken.decodeAnswer(bytes.span.bytes, kind: kind)
    }
}

extension LineBench {
    /// A client that speaks envelopes, before it has heard anything.
    func connect(
        _ who: String = "", _ spoken: any EnvelopeProtocol = JSONProtocol(),
        windowBytes: Int = 64 << 10
    ) throws -> EnvelopeClient {
        let peer = try #require(network.connect(to: address, windowBytes: windowBytes))
        let client = SimulatedClient(peer: peer)
        client.requestUpgrade("/ws?\(who)", subprotocol: spoken.subprotocol)
        let isUpgraded = network.run(within: .seconds(5)) { client.isUpgraded }
        try #require(isUpgraded)
        return EnvelopeClient(client, spoken)
    }

    /// Lets something be said and answered.
    func ask(_ client: EnvelopeClient, _ envelope: ClientEnvelope) throws -> [ServerEnvelope] {
        client.say(envelope)
        network.run(for: .milliseconds(300))
        return try client.take()
    }
}

extension [ServerEnvelope] {
    var texts: [String] {
        compactMap {
            if case .publication(_, let message, _) = $0 { message.payload.text } else { nil }
        }
    }

    var subscriptions: [ServerEnvelope.Subscribed] {
        compactMap { if case .subscribed(let answer) = $0 { answer } else { nil } }
    }

    var welcomes: [ServerEnvelope.Welcome] {
        compactMap { if case .welcome(let welcome) = $0 { welcome } else { nil } }
    }

    var failures: [FailureCode] {
        compactMap { if case .failure(let failure) = $0 { failure.code } else { nil } }
    }

    var tokens: [String] {
        compactMap { if case .token(let token, _) = $0 { token } else { nil } }
    }

    var published: [TopicPosition?] {
        compactMap { if case .published(_, let position) = $0 { position } else { nil } }
    }
}
