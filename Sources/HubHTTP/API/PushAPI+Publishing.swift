import WSFrame
import WSTransport

// What is said: to a topic, to a user, to everybody.
extension PushAPI {
    /// `POST publish`.
    @Sendable func publish(_ request: Request) async throws -> HTTPResponse {
        .json(try await commands(request).publish(PublishCommand(json: request.call.body)))
    }

    /// `POST send`.
    @Sendable func send(_ request: Request) async throws -> HTTPResponse {
        let answer = try await commands(request).send(SendCommand(json: request.call.body))
        switch answer {
        case .stored: return .json(answer, .created)
        case .duplicate: return .json(answer)
        case .sent: return .json(answer, .accepted)
        }
    }

    /// `POST broadcast`.
    @Sendable func broadcast(_ request: Request) async throws -> HTTPResponse {
        let command = try BroadcastCommand(json: request.call.body)
        return .json(try commands(request).broadcast(command), .accepted)
    }
}
