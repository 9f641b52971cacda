import Hub
import WSFrame
import WSTransport

// What is said: to a topic, to a user, to everybody.
extension PushAPI {
    private struct PublishBody: Decodable {
        let topic: String
        let durability: String?
        let idempotencyKey: String?

        private enum CodingKeys: String, CodingKey {
            case topic, durability
            case idempotencyKey = "idempotency_key"
        }
    }

    /// `POST publish`.
    @Sendable func publish(_ request: Request) async throws -> HTTPResponse {
        let body = try request.body(as: PublishBody.self)
        let classes: [String: Publication.Durability] = [
            "stored": .stored, "transient": .transient, "volatile": .volatile,
        ]
        guard let durability = classes[body.durability ?? "stored"] else {
            throw APIFailure(.badRequest, "durability has to be stored, transient or volatile")
        }
        var publication = Publication(
            try MessageBody.message(of: request), durability: durability)
        publication.idempotencyKey = body.idempotencyKey
        guard let topic = await request.hub.openTopic(body.topic) else {
            throw APIFailure(.tooManyRequests, "too many topics")
        }
        var answer = JSONObject()
        switch try await topic.publishStored(publication) {
        case .published(let position?):
            try answer.set("epoch", "\(position.epoch)")
            try answer.set("offset", position.offset)
        case .published(nil):
            break
        case .overloaded, .accepted:
            throw APIFailure.overloaded
        }
        return .json(answer)
    }

    private struct SendBody: Decodable {
        let user: String
        let device: String?
        let delivery: String?
        let ttl: Int?
        let idempotencyKey: String?

        private enum CodingKeys: String, CodingKey {
            case user, device, delivery, ttl
            case idempotencyKey = "idempotency_key"
        }
    }

    /// `POST send`.
    @Sendable func send(_ request: Request) async throws -> HTTPResponse {
        let body = try request.body(as: SendBody.self)
        let message = try MessageBody.message(of: request)
        guard !body.user.isEmpty else { throw APIFailure(.badRequest, "a user is needed") }
        switch body.delivery ?? "inbox" {
        case "now":
            let scope: Recipients.Scope =
                body.device.map { .device(user: body.user, device: $0) } ?? .users([body.user])
            request.hub.send(message, to: Recipients(scope))
            return .json(JSONObject(), .accepted)
        case "inbox":
            guard body.device == nil else {
                throw APIFailure(.badRequest, "an inbox is its user's, not one device's")
            }
            return try await deposit(message, body, in: request.hub)
        default:
            throw APIFailure(.badRequest, "delivery has to be inbox or now")
        }
    }

    private func deposit(
        _ message: HubMessage, _ body: SendBody, in hub: HubServer
    ) async throws -> HTTPResponse {
        guard body.ttl ?? 1 > 0 else { throw APIFailure(.badRequest, "ttl has to be positive") }
        let outcome = try await hub.deposit(
            message, for: body.user, idempotencyKey: body.idempotencyKey,
            timeToLive: body.ttl.map { .seconds($0) })
        var answer = JSONObject()
        switch outcome {
        case .stored(let id):
            try answer.set("id", id.rawValue)
            return .json(answer, .created)
        case .duplicate(let id):
            try answer.set("id", id.rawValue)
            try answer.set("duplicate", true)
            return .json(answer)
        case .refused:
            throw APIFailure(.tooManyRequests, "the inbox is full")
        }
    }

    private struct BroadcastBody: Decodable {
        let topic: String?
        let exceptUsers: [String]?

        private enum CodingKeys: String, CodingKey {
            case topic
            case exceptUsers = "except_users"
        }
    }

    /// `POST broadcast`.
    @Sendable func broadcast(_ request: Request) async throws -> HTTPResponse {
        let body = try request.body(as: BroadcastBody.self)
        let message = try MessageBody.message(of: request)
        request.hub.send(
            message,
            to: Recipients(
                body.topic.map { .topic($0) } ?? .everyone, exceptUsers: body.exceptUsers ?? []))
        return .json(JSONObject(), .accepted)
    }
}
