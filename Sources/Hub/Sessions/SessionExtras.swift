/// What only some sessions have; made when it is needed.
final class SessionExtras {
    var device: String?
    var attributes: [String: String] = [:]
    /// What waits for this session alone while its connection takes no more.
    var outbox: Outbox?
    /// Questions to the client that are open.
    var requests: PendingRequests?
    /// Work for the client that is under way.
    var tasks: SessionTasks?
    /// What it was given of its user's inbox.
    var inbox: SessionInbox?
    /// When it gets its next resume token.
    var tokens: SessionTokens?
    /// The topics of its resume token that are not read yet.
    var returning: [ReturningTopic] = []
    /// Who the client was found to be.
    var identity: Identity?
    /// Topics that its credentials granted and no longer do, while the application is asked about them.
    var questioned: [Topic] = []
    /// Watches over the time of its credentials.
    var credentialWatch: CredentialWatch?
    /// What it has sent lately.
    var meter: SessionMeter?
    /// The topics that were made for it lately.
    var newTopics: NewTopics?
    /// What others keep for it refers to this.
    var life: SessionLife?
    /// Topics that it comes back to as soon as they are read: what it said first of each waits there.
    var awaitedTopics: Set<ObjectIdentifier> = []
    /// Its ledger, while whoever runs the hub looks at it.
    var watch: SessionWatch?
}

extension Session {
    var madeExtras: SessionExtras {
        if let extras { return extras }
        let made = SessionExtras()
        extras = made
        return made
    }

    /// What is kept for it elsewhere refers to this.
    var life: SessionLife {
        if let life = extras?.life { return life }
        let made = SessionLife()
        madeExtras.life = made
        return made
    }

    /// Which of its user's devices the client is.
    public internal(set) var device: String? {
        get { extras?.device }
        set { if newValue != nil || extras != nil { madeExtras.device = newValue } }
    }

    /// What the application wants to remember of the client.
    public var attributes: [String: String] {
        get { extras?.attributes ?? [:] }
        set { if !newValue.isEmpty || extras != nil { madeExtras.attributes = newValue } }
    }

    var outbox: Outbox? {
        get { extras?.outbox }
        set {
            let counted = extras?.outbox?.bytes ?? 0
            shard.directories.ledger.add((newValue?.bytes ?? 0) - counted)
            if newValue != nil || extras != nil { madeExtras.outbox = newValue }
        }
    }

    var requests: PendingRequests? {
        get { extras?.requests }
        set { if newValue != nil || extras != nil { madeExtras.requests = newValue } }
    }

    var tasks: SessionTasks? {
        get { extras?.tasks }
        set { if newValue != nil || extras != nil { madeExtras.tasks = newValue } }
    }

    var tokens: SessionTokens? {
        get { extras?.tokens }
        set { if newValue != nil || extras != nil { madeExtras.tokens = newValue } }
    }

    var inbox: SessionInbox? {
        get { extras?.inbox }
        set { if newValue != nil || extras != nil { madeExtras.inbox = newValue } }
    }
}
