package import Hub

/// Carries out what programs ask of a hub, whatever they ask it by.
///
/// Every command is carried out here and nowhere else, so that HTTP and RPC mean the same by it.
package struct HubCommands: Sendable {
    let hub: HubServer
    let configuration: PushAPI.Configuration
    let campaigns: CampaignList

    // MARK: - What is said

    package func publish(_ command: PublishCommand) async throws -> PublishAnswer {
        try check(command.topic, "topic")
        try check(command.message)
        try check(command.idempotencyKey, "idempotency_key", from: 0)
        var publication = Publication(command.message, durability: command.durability)
        publication.idempotencyKey = command.idempotencyKey
        guard let topic = hub.topic(command.topic) else {
            throw CommandFailure(.tooMany, "too many topics")
        }
        switch try await stored({ () async throws(StoreError) in
            try await topic.publishStored(publication)
        }) {
        case .published(let position): return PublishAnswer(position: position)
        case .overloaded, .accepted: throw CommandFailure.overloaded
        }
    }

    package func send(_ command: SendCommand) async throws -> SendAnswer {
        try check(command.user, "user")
        try check(command.message)
        switch command.delivery {
        case .now(let device):
            try check(device, "device", from: 0)
            let scope: Recipients.Scope =
                device.map { .device(user: command.user, device: $0) } ?? .users([command.user])
            hub.send(command.message, to: Recipients(scope))
            return .sent
        case .inbox(let timeToLive, let key):
            try check(key, "idempotency_key", from: 0)
            let outcome = try await stored { () async throws(StoreError) in
                try await hub.deposit(
                    command.message, for: command.user, idempotencyKey: key,
                    timeToLive: timeToLive)
            }
            switch outcome {
            case .stored(let id): return .stored(id)
            case .duplicate(let id): return .duplicate(id)
            case .refused: throw CommandFailure(.tooMany, "the inbox is full")
            }
        }
    }

    package func broadcast(_ command: BroadcastCommand) throws(CommandFailure) -> DoneAnswer {
        try check(command.topic, "topic")
        try check(command.message)
        for user in command.exceptUsers { try check(user, "except_users") }
        hub.send(
            command.message,
            to: Recipients(
                command.topic.map { .topic($0) } ?? .everyone, exceptUsers: command.exceptUsers))
        return DoneAnswer()
    }

    // MARK: - Campaigns

    /// Begins a campaign.
    ///
    /// - Returns: How far it is, and whether this command began it.
    package func begin(
        _ command: CampaignCommand
    ) throws(CommandFailure) -> (answer: CampaignAnswer, isNew: Bool) {
        guard (1...configuration.campaignRateMax).contains(command.rate) else {
            throw CommandFailure(
                .malformed, "rate has to be from 1 to \(configuration.campaignRateMax)")
        }
        guard command.id.map({ (1...64).contains($0.utf8.count) }) ?? true else {
            throw CommandFailure(.malformed, "id has to have from 1 to 64 bytes")
        }
        try check(command.message)
        switch command.audience {
        case .everyone: break
        case .topic(let name): try check(name, "topic")
        case .users(let names), .inboxes(let names):
            for name in names { try check(name, "users") }
        }
        switch campaigns.begin(command.id, { id in campaign(command, named: id) }) {
        case .begun(let id, let campaign): return (CampaignAnswer(id, campaign), true)
        case .known(let id, let campaign): return (CampaignAnswer(id, campaign), false)
        case .full: throw CommandFailure(.tooMany, "too many campaigns")
        }
    }

    private func campaign(_ command: CampaignCommand, named id: String) -> Campaign {
        let scope: Recipients.Scope
        switch command.audience {
        case .everyone: scope = .everyone
        case .topic(let name): scope = .topic(name)
        case .users(let names): scope = .users(names)
        case .inboxes(let users):
            // Not to be taken for a key of `send`.
            return hub.campaign(
                command.message, toInboxesOf: users, rate: command.rate,
                idempotencyKey: "campaign/\(id)")
        }
        return hub.campaign(command.message, to: Recipients(scope), rate: command.rate)
    }

    /// Looks at a campaign, after `body` has steered it.
    package func steer(
        _ reference: CampaignReference, _ body: (Campaign) -> Void = { _ in }
    ) throws(CommandFailure) -> CampaignAnswer {
        guard let campaign = campaigns[reference.id] else {
            throw CommandFailure(.unknownCampaign, "no such campaign")
        }
        body(campaign)
        return CampaignAnswer(reference.id, campaign)
    }

    // MARK: - Names

    /// Bounds a name; `nil` is none.
    func check(
        _ name: String?, _ what: StaticString, from least: Int = 1
    ) throws(CommandFailure) {
        let most = PushAPI.Configuration.nameBytesMax
        guard let count = name?.utf8.count, !(least...most).contains(count) else { return }
        throw CommandFailure(.malformed, "\(what) has to have from \(least) to \(most) bytes")
    }

    private func check(_ message: HubMessage) throws(CommandFailure) {
        try check(message.event, "event", from: 0)
        try check(message.key, "key", from: 0)
    }

    /// What the store answers; its failures as a command's.
    private func stored<Answer>(
        _ body: () async throws(StoreError) -> Answer
    ) async throws(CommandFailure) -> Answer {
        do throws(StoreError) {
            return try await body()
        } catch {
            throw CommandFailure(error)
        }
    }
}

extension CampaignAnswer {
    init(_ id: String, _ campaign: Campaign) {
        self.init(id: id, rate: campaign.rate, progress: campaign.progress)
    }
}
