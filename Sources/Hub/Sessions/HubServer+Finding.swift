import NetPoll

// Finding sessions by what is known of them.
extension HubServer {
    /// Sessions that one turn of a loop looks at in a search.
    private static let soughtPerTurn = 512

    /// The names of a user's sessions, the oldest first.
    public func sessions(of user: String) -> [SessionID] {
        directories.sessions.sessions(of: user).map(\.id)
    }

    /// A user's sessions, the oldest first.
    public func references(of user: String) -> [SessionReference] {
        directories.sessions.sessions(of: user).map {
            SessionReference(id: $0.id, user: user, device: $0.device, hub: self)
        }
    }

    /// A user's sessions on one device, the oldest first.
    public func references(of user: String, on device: String) -> [SessionReference] {
        directories.sessions.sessions(of: user, on: device).map {
            SessionReference(id: $0.id, user: user, device: $0.device, hub: self)
        }
    }

    /// The sessions whose ``Session/attributes`` have a value under a name, in no order.
    ///
    /// There is no index of attributes: each loop looks at all its sessions, a bounded number a turn.
    /// Those that begin or end meanwhile may be among them or not.
    ///
    /// Complexity: O(sessions).
    public func references(
        withAttribute name: String, equalTo value: String
    ) async -> [SessionReference] {
        var found: [SessionReference] = []
        for shard in shards {
            var slots = 0..<Self.soughtPerTurn
            var isOver = false
            while !isOver {
                let seen = slots
                let (some, end) = await withCheckedContinuation {
                    (continuation: CheckedContinuation<([SessionReference], Int), Never>) in
                    let willRun = shard.loop.execute {
                        continuation.resume(
                            returning: shard.references(
                                in: seen, of: self, withAttribute: name, equalTo: value))
                    }
                    if !willRun { continuation.resume(returning: ([], 0)) }
                }
                found += some
                isOver = slots.upperBound >= end
                slots = slots.upperBound..<slots.upperBound + Self.soughtPerTurn
            }
        }
        return found
    }
}

extension HubShard {
    /// Those in these slots of the table, and how many slots it has.
    fileprivate func references(
        in slots: Range<Int>, of hub: HubServer, withAttribute name: String,
        equalTo value: String
    ) -> ([SessionReference], Int) {
        var found: [SessionReference] = []
        for slot in slots.clamped(to: 0..<sessions.slotCount) {
            guard let session = sessions.session(inSlot: slot), !session.isRefused,
                session.attributes[name]?.isSameBytes(as: value) ?? false
            else { continue }
            found.append(
                SessionReference(
                    id: session.id, user: session.user, device: session.device, hub: hub))
        }
        return (found, sessions.slotCount)
    }
}

extension Recipients {
    /// The topic whose subscribers are meant.
    var topic: String? {
        if case .topic(let name) = scope { name } else { nil }
    }

    /// Whether a session is not of a user who is not meant; asked on its loop.
    var filter: @Sendable (Session) -> Bool {
        let except = Set(exceptUsers.map(ExactName.init))
        return { session in
            guard !except.isEmpty, let user = session.user else { return true }
            return !except.contains(ExactName(user))
        }
    }
}
