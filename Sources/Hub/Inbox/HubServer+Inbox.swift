import NetPoll

extension HubServer {
    /// Puts a message into a user's inbox: it is stored before it is sent, and sent again, to all of
    /// the user's sessions, until one of them has acknowledged it.
    ///
    /// Sessions get it whose protocol knows acknowledgements, when they are there or when they come.
    ///
    /// - Parameters:
    ///   - message: What it says.
    ///   - user: Whose inbox.
    ///   - idempotencyKey: Names the deposit, so that it may be tried again.
    ///   - timeToLive: How long it is worth delivering; `nil` for ``InboxPolicy/timeToLive``.
    /// - Returns: What became of it; `stored` once the store holds it.
    /// - Throws: ``StoreError``, and nothing is stored.
    public func deposit(
        _ message: HubMessage, for user: String, idempotencyKey: String? = nil,
        timeToLive: Duration? = nil
    ) async throws(StoreError) -> InboxDeposited {
        let result = await withCheckedContinuation { continuation in
            deposit(message, for: user, idempotencyKey: idempotencyKey, timeToLive: timeToLive) {
                continuation.resume(returning: $0)
            }
        }
        return try result.get()
    }

    /// As ``deposit(_:for:idempotencyKey:timeToLive:)``; the key is remembered for `window`, where that is not
    /// the default, and `whenDone` is called once, on any thread.
    func deposit(
        _ message: HubMessage, for user: String, idempotencyKey: String?, timeToLive: Duration?,
        window: Duration? = nil,
        whenDone: @escaping @Sendable (Result<InboxDeposited, StoreError>) -> Void
    ) {
        guard let writer = directories.inboxes else {
            return whenDone(
                .failure(StoreError(.unavailable, detail: "HubConfiguration.inbox is not set")))
        }
        let life = timeToLive ?? writer.policy.timeToLive
        var deposit = InboxDeposit(
            user: user, message: message, expiry: life.map { configuration.calendar() + $0 },
            limits: writer.policy.limits, idempotencyKey: idempotencyKey)
        if let window { deposit.idempotencyWindow = window }
        writer.deposits.submit(deposit) { result in
            if case .success(.stored) = result { self.inboxChanged(of: user) }
            whenDone(result)
        }
    }

    private func inboxChanged(of user: String) {
        if let node = directories.node {
            node.command(.inboxChanged(user: user))
        } else {
            forEach(sessions(of: user)) { $0.shard.inboxChanged($0) }
        }
    }

    /// Other nodes may have deposited something that this one was not told of.
    func inboxesMayHaveChanged() {
        guard directories.inboxes != nil else { return }
        for shard in shards {
            shard.loop.execute { shard.inboxesMayHaveChanged() }
        }
    }

    /// Messages of a user's inbox that wait to be acknowledged, the oldest of them.
    ///
    /// - Parameters:
    ///   - user: Whose inbox.
    ///   - limit: How many.
    /// - Returns: The oldest of them.
    /// - Throws: ``StoreError``.
    public func unacknowledged(
        of user: String, limit: PageLimit = .init()
    ) async throws(StoreError) -> InboxPage {
        try await configuration.store.unacknowledged(
            of: user, after: nil, limit: limit, at: configuration.calendar())
    }

    /// Messages of a user's inbox that were delivered too often without being acknowledged.
    ///
    /// - Parameters:
    ///   - user: Whose inbox.
    ///   - limit: How many.
    /// - Returns: The oldest of them.
    /// - Throws: ``StoreError``.
    public func quarantined(
        of user: String, limit: PageLimit = .init()
    ) async throws(StoreError) -> InboxPage {
        try await configuration.store.quarantined(
            of: user, limit: limit, at: configuration.calendar())
    }
}
