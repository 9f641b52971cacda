import Hub
import WSFrame
import WSTransport

// Campaigns: begun, looked at, steered.
extension PushAPI {
    private struct CampaignBody: Decodable {
        let id: String?
        let rate: Int
        let users: [String]?
        let topic: String?
        let delivery: String?
    }

    /// `POST campaigns`.
    @Sendable func beginCampaign(_ request: Request) async throws -> HTTPResponse {
        let body = try request.body(as: CampaignBody.self)
        let message = try MessageBody.message(of: request)
        guard (1...configuration.campaignRateMax).contains(body.rate) else {
            throw APIFailure(
                .badRequest, "rate has to be from 1 to \(configuration.campaignRateMax)")
        }
        guard body.users == nil || body.topic == nil else {
            throw APIFailure(.badRequest, "users and topic exclude each other")
        }
        let (hub, rate) = (request.hub, body.rate)
        let begin: @Sendable (_ id: String) -> Campaign
        switch (body.delivery ?? "now", body.users) {
        case ("inbox", let users?):
            begin = { hub.campaign(message, toInboxesOf: users, rate: rate, idempotencyKey: $0) }
        case ("inbox", nil):
            throw APIFailure(.badRequest, "a campaign to inboxes has to name its users")
        case ("now", let users):
            let scope: Recipients.Scope =
                users.map { .users($0) } ?? body.topic.map { .topic($0) } ?? .everyone
            begin = { _ in hub.campaign(message, to: Recipients(scope), rate: rate) }
        default:
            throw APIFailure(.badRequest, "delivery has to be inbox or now")
        }
        guard body.id.map({ (1...64).contains($0.utf8.count) }) ?? true else {
            throw APIFailure(.badRequest, "id has to have from 1 to 64 bytes")
        }
        switch campaigns.begin(body.id, begin) {
        case .begun(let id, let campaign): return try Self.answer(id, campaign, .accepted)
        case .known(let id, let campaign): return try Self.answer(id, campaign, .ok)
        case .full: throw APIFailure(.tooManyRequests, "too many campaigns")
        }
    }

    /// `GET campaigns/ID`, and `POST` of what steers it.
    func steer(_ request: Request, _ body: (Campaign) -> Void) throws -> HTTPResponse {
        let id = request.call.parameters["id"] ?? ""
        guard let campaign = campaigns[id] else {
            throw APIFailure(.notFound, "no such campaign")
        }
        body(campaign)
        return try Self.answer(id, campaign, .ok)
    }

    private static func answer(
        _ id: String, _ campaign: Campaign, _ status: HTTPStatus
    ) throws -> HTTPResponse {
        let progress = campaign.progress
        var answer = JSONObject()
        try answer.set("id", id)
        try answer.set("state", "\(progress.state)")
        try answer.set("rate", campaign.rate)
        try answer.set("total", progress.total)
        try answer.set("sent", progress.sent)
        try answer.set("missed", progress.missed)
        return .json(answer, status)
    }
}
