/// What of a session a resume token holds.
public struct ResumeState: Hashable, Sendable {
    /// Whose session it was; `nil` where the application had not found out.
    public var user: String?
    /// On which of the user's devices.
    public var device: String?
    /// What it subscribed to, and up to where it was given everything.
    public var topics: [KnownTopic]
    /// From then on the token is good for nothing.
    public var expiry: Timestamp
    /// When the credentials expire by which the client had shown who it is; `nil` for never. Who comes
    /// back without credentials has a session until then.
    public var credentialsExpiry: Timestamp?
    /// Topics that its credentials granted (``Identity/topics``). Who comes back without credentials
    /// has them until those expire; who shows new ones keeps only what these grant, too, or what
    /// ``HubApplication/authorize(_:by:)`` allows.
    public var grants: [TopicPattern]

    /// Creates a state.
    public init(
        user: String? = nil, device: String? = nil, topics: [KnownTopic], expiry: Timestamp,
        credentialsExpiry: Timestamp? = nil, grants: [TopicPattern] = []
    ) {
        self.user = user
        self.device = device
        self.topics = topics
        self.expiry = expiry
        self.credentialsExpiry = credentialsExpiry
        self.grants = grants
    }
}
