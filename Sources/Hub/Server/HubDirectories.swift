import Synchronization

/// What all loops of a hub share.
final class HubDirectories: Sendable {
    let sessions: SessionDirectory
    let bans = BanList()
    let router = EventRouter()
    let onion: Onion
    let inboxes: InboxWriter?
    private let owner = Mutex(Owner())

    /// The hub, which owns this and may be gone while sessions end.
    private struct Owner {
        weak var hub: HubServer?
    }

    init(_ configuration: HubConfiguration, inboxes: InboxWriter?) {
        sessions = SessionDirectory(sessionsPerUserMax: configuration.sessionsPerUserMax)
        onion = Onion(layers: configuration.middleware)
        self.inboxes = inboxes
    }

    /// Tells it its hub, before that listens.
    func attach(to hub: HubServer) {
        owner.withLock { $0.hub = hub }
    }

    var hub: HubServer? { owner.withLock { $0.hub } }
}
