public import HubHTTP
public import RPC

/// Using a hub from other programs by RPC: the service's methods, for both sides.
///
///     let client = RPCClient(to: .host("push.internal", port: 4000), on: group.loops)
///     let options = CallOptions(metadata: ["authorization": "Bearer \(key)"])
///     let command = SendCommand(user: "ann", HubMessage(text: "your parcel is here"))
///     let answer = try await client.call(HubBackend.send, command, options: options)
///
/// Each is what the request of that name is to ``/HubHTTP/PushAPI``, and carried out by the same code.
/// Requests and replies are its JSON. A call that fails has a ``/HubHTTP/CommandFailure`` among its
/// details, which `RPCError.typed(_:)` reads.
public enum HubBackend: RPCService {
    public static let serviceName = "longwire.HubBackend"

    /// Publishes to a topic.
    public static let publish = unary("Publish", PublishCommand.self, PublishAnswer.self)
    /// Sends to a user.
    public static let send = unary("Send", SendCommand.self, SendAnswer.self)
    /// Sends to everybody that is there.
    public static let broadcast = unary("Broadcast", BroadcastCommand.self, DoneAnswer.self)
    /// Begins a campaign.
    public static let beginCampaign = unary(
        "BeginCampaign", CampaignCommand.self, CampaignAnswer.self)
    /// Tells how far a campaign is.
    public static let campaign = unary(
        "Campaign", CampaignReference.self, CampaignAnswer.self, .idempotent)
    /// Lets a campaign wait.
    public static let pauseCampaign = unary(
        "PauseCampaign", CampaignReference.self, CampaignAnswer.self, .idempotent)
    /// Lets a campaign go on.
    public static let resumeCampaign = unary(
        "ResumeCampaign", CampaignReference.self, CampaignAnswer.self, .idempotent)
    /// Stops a campaign for good.
    public static let cancelCampaign = unary(
        "CancelCampaign", CampaignReference.self, CampaignAnswer.self, .idempotent)
    /// Closes a user's sessions.
    public static let kick = unary("Kick", KickCommand.self, KickAnswer.self)
    /// Tells who is there.
    public static let presence = unary(
        "Presence", PresenceCommand.self, PresenceAnswer.self, .idempotent)
    /// Tells what was published.
    public static let history = unary(
        "History", HistoryCommand.self, HistoryAnswer.self, .idempotent)
    /// Tells which sessions there are.
    public static let sessions = unary(
        "Sessions", SessionsCommand.self, SessionsAnswer.self, .idempotent)
}
