import Hub

// What is asked: who is there, what was said; and who has to go.
extension HubCommands {
    /// The longest reason of a close frame (RFC 6455 §5.5).
    private static let reasonBytesMax = 123

    package func kick(_ command: KickCommand) throws(CommandFailure) -> KickAnswer {
        guard command.reason.utf8.count <= Self.reasonBytesMax else {
            throw CommandFailure(.malformed, "reason has more than \(Self.reasonBytesMax) bytes")
        }
        switch command.whom {
        case .user(let user, let time):
            try check(user, "user")
            let known = hub.references(of: user)
            if let time {
                hub.ban(user: user, for: time, reason: command.reason)
            } else {
                hub.kick(
                    Recipients(.users([user])), code: .forbidden, reason: command.reason)
            }
            return KickAnswer(sessions: known.count)
        case .device(let device, let user):
            try check(user, "user")
            try check(device, "device", from: 0)
            let known = hub.references(of: user).count { $0.device == device }
            hub.kick(
                Recipients(.device(user: user, device: device)), code: .forbidden,
                reason: command.reason)
            return KickAnswer(sessions: known)
        }
    }

    package func presence(_ command: PresenceCommand) throws(CommandFailure) -> PresenceAnswer {
        switch command {
        case .user(let user):
            try check(user, "user")
            return .user(user, sessions: hub.sessions(of: user).count)
        case .topic(let name, let limit):
            try check(name, "topic")
            let snapshot = hub.existingTopic(name)?.snapshot(usersMax: try count(limit))
            return .topic(
                name, count: snapshot?.userCount ?? 0, users: snapshot?.users.sorted() ?? [])
        }
    }

    package func history(_ command: HistoryCommand) async throws -> HistoryAnswer {
        try check(command.topic, "topic")
        let limit = PageLimit(messagesMax: try count(command.limit), bytesMax: 1 << 20)
        guard let topic = hub.topic(command.topic) else {
            throw CommandFailure(.tooMany, "too many topics")
        }
        if let failure = await topic.attempted() { throw CommandFailure(failure) }
        let page = topic.history(after: command.position, limit: limit)
        return HistoryAnswer(
            topic: command.topic, end: page.end, isRecovered: page.isRecovered,
            hasMore: page.hasMore,
            messages: page.messages.map {
                HistoryAnswer.Message(offset: $0.offset, time: $0.time, message: $0.message)
            })
    }

    package func sessions(
        _ command: SessionsCommand
    ) throws(CommandFailure) -> SessionsAnswer {
        switch command {
        case .count:
            return .count(hub.sessionCount)
        case .user(let user):
            try check(user, "user")
            return .user(
                user,
                hub.references(of: user).map {
                    SessionsAnswer.Known(id: "\($0.id)", device: $0.device)
                })
        }
    }

    /// How many items are meant by a limit.
    private func count(_ limit: Int?) throws(CommandFailure) -> Int {
        let most = configuration.itemsMax
        guard let limit else { return min(100, most) }
        guard (1...most).contains(limit) else {
            throw CommandFailure(.malformed, "limit has to be from 1 to \(most)")
        }
        return limit
    }
}
