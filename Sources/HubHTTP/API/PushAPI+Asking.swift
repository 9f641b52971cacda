import WSFrame
import WSTransport

// What is asked: who is there, what was said; and who has to go.
extension PushAPI {
    /// `GET presence`: of a topic, or of a user.
    @Sendable func presence(_ request: Request) async throws -> HTTPResponse {
        let query = request.call.request
        let command = try PresenceCommand(
            topic: query.queryValue("topic"), user: query.queryValue("user"),
            limit: try limit(of: request))
        return .json(try commands(request).presence(command))
    }

    /// `GET history`.
    @Sendable func history(_ request: Request) async throws -> HTTPResponse {
        let query = request.call.request
        let command = try HistoryCommand(
            topic: query.queryValue("topic"), epoch: query.queryValue("epoch"),
            offset: try request.number("offset", in: 0...UInt64.max),
            limit: try limit(of: request))
        return .json(try await commands(request).history(command))
    }

    /// `GET sessions`: of a user, or how many there are.
    @Sendable func sessions(_ request: Request) async throws -> HTTPResponse {
        let command = SessionsCommand(of: request.call.request.queryValue("user"))
        return .json(try commands(request).sessions(command))
    }

    /// `POST kick`.
    @Sendable func kick(_ request: Request) async throws -> HTTPResponse {
        .json(try commands(request).kick(KickCommand(json: request.call.body)), .accepted)
    }

    private func limit(of request: Request) throws -> Int? {
        try request.number("limit", in: 1...UInt64(configuration.itemsMax)).map { Int($0) }
    }
}
