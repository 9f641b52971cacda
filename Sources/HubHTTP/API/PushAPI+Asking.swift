import Hub
import WSFrame
import WSTransport

// What is asked: who is there, what was said; and who has to go.
extension PushAPI {
    /// `GET presence`: of a topic, or of a user.
    @Sendable func presence(_ request: Request) async throws -> HTTPResponse {
        let query = request.call.request
        var answer = JSONObject()
        if let user = query.queryValue("user") {
            let sessions = request.hub.sessions(of: user)
            try answer.set("user", user)
            try answer.set("online", !sessions.isEmpty)
            try answer.set("sessions", sessions.count)
            return .json(answer)
        }
        guard let name = query.queryValue("topic") else {
            throw APIFailure(.badRequest, "topic or user is needed")
        }
        let limit = try limit(of: request)
        let snapshot = request.hub.existingTopic(name)?.snapshot(usersMax: limit)
        try answer.set("topic", name)
        try answer.set("count", snapshot?.userCount ?? 0)
        try answer.set("users", snapshot?.users.sorted() ?? [])
        return .json(answer)
    }

    /// `GET history`.
    @Sendable func history(_ request: Request) async throws -> HTTPResponse {
        let query = request.call.request
        guard let name = query.queryValue("topic") else {
            throw APIFailure(.badRequest, "topic is needed")
        }
        var position: TopicPosition?
        if let text = query.queryValue("epoch") {
            guard let epoch = Epoch(text) else {
                throw APIFailure(.badRequest, "epoch is not one")
            }
            let offset = try request.number("offset", in: 0...UInt64.max, otherwise: 0)
            position = TopicPosition(epoch: epoch, offset: offset)
        }
        let limit = PageLimit(messagesMax: try limit(of: request), bytesMax: 1 << 20)
        guard let topic = await request.hub.openTopic(name) else {
            throw APIFailure(.tooManyRequests, "too many topics")
        }
        let page = topic.history(after: position, limit: limit)
        var answer = JSONObject()
        try answer.set("topic", name)
        try answer.set("epoch", "\(page.end.epoch)")
        try answer.set("offset", page.end.offset)
        try answer.set("recovered", page.isRecovered)
        try answer.set("more", page.hasMore)
        let messages = try page.messages.map { stored in
            var item = JSONObject()
            try item.set("offset", stored.offset)
            try item.set("time", stored.time.milliseconds)
            try item.set(stored.message)
            return item.bytes
        }
        answer.set("messages", json: JSONObject.array(messages))
        return .json(answer)
    }

    /// `GET sessions`: of a user, or how many there are.
    @Sendable func sessions(_ request: Request) async throws -> HTTPResponse {
        var answer = JSONObject()
        guard let user = request.call.request.queryValue("user") else {
            try answer.set("count", request.hub.sessionCount)
            return .json(answer)
        }
        try answer.set("user", user)
        let items = try request.hub.references(of: user).map { session in
            var item = JSONObject()
            try item.set("id", "\(session.id)")
            if let device = session.device { try item.set("device", device) }
            return item.bytes
        }
        answer.set("sessions", json: JSONObject.array(items))
        return .json(answer)
    }

    private struct KickBody: Decodable {
        let user: String
        let device: String?
        let reason: String?
        let banSeconds: Int?

        private enum CodingKeys: String, CodingKey {
            case user, device, reason
            case banSeconds = "ban_seconds"
        }
    }

    /// `POST kick`.
    @Sendable func kick(_ request: Request) async throws -> HTTPResponse {
        let body = try request.body(as: KickBody.self)
        let known = request.hub.references(of: body.user)
        let meant = body.device.map { device in known.filter { $0.device == device } } ?? known
        let reason = body.reason ?? ""
        guard reason.utf8.count <= 123 else {
            throw APIFailure(.badRequest, "reason has more than 123 bytes")
        }
        if let seconds = body.banSeconds {
            guard body.device == nil, seconds > 0 else {
                throw APIFailure(.badRequest, "a ban is a user's, and of a positive time")
            }
            request.hub.ban(user: body.user, for: .seconds(seconds), reason: reason)
        } else {
            let scope: Recipients.Scope =
                body.device.map { .device(user: body.user, device: $0) } ?? .users([body.user])
            request.hub.kick(Recipients(scope), code: .forbidden, reason: reason)
        }
        var answer = JSONObject()
        try answer.set("sessions", meant.count)
        return .json(answer, .accepted)
    }

    private func limit(of request: Request) throws -> Int {
        let most = UInt64(configuration.itemsMax)
        return Int(try request.number("limit", in: 1...most, otherwise: min(100, most)))
    }
}
