import Hub
import WSFrame
import WSTransport

// Campaigns: begun, looked at, steered.
extension PushAPI {
    /// `POST campaigns`.
    @Sendable func beginCampaign(_ request: Request) async throws -> HTTPResponse {
        let begun = try commands(request).begin(CampaignCommand(json: request.call.body))
        return .json(begun.answer, begun.isNew ? .accepted : .ok)
    }

    /// `GET campaigns/ID`, and `POST` of what steers it.
    func steer(_ request: Request, _ body: (Campaign) -> Void) throws -> HTTPResponse {
        let reference = CampaignReference(id: request.call.parameters["id"] ?? "")
        return .json(try commands(request).steer(reference, body))
    }
}
