import Synchronization

/// What all loops of a hub share.
final class HubDirectories: Sendable {
    let sessions: SessionDirectory
    let bans = BanList()
    let router = EventRouter()
    let listeners = ListenerList()
    let onion: Onion
    let ledger: MemoryLedger
    let inboxes: InboxWriter?
    /// Where the store keeps histories.
    let histories: HistoryWriter?
    /// The way to other nodes' hubs.
    let node: HubNode?
    private let owner = Mutex(Owner())

    /// The hub, which owns this and may be gone while sessions end.
    private struct Owner {
        weak var hub: HubServer?
    }

    init(
        _ configuration: HubConfiguration, ledger: MemoryLedger, inboxes: InboxWriter?,
        histories: HistoryWriter?, node: HubNode?
    ) {
        sessions = SessionDirectory(sessionsPerUserMax: configuration.sessionsPerUserMax)
        self.ledger = ledger
        onion = Onion(layers: configuration.middleware)
        self.inboxes = inboxes
        self.histories = histories
        self.node = node
    }

    /// Tells it its hub, before that listens.
    func attach(to hub: HubServer) {
        owner.withLock { $0.hub = hub }
    }

    var hub: HubServer? { owner.withLock { $0.hub } }
}
