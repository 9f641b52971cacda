extension Session {
    /// Says who the client is, as the application found out.
    ///
    /// Topics count their users by it, and messages to users reach the session from now on. Several
    /// sessions may be of one user, also on one device. A session may be identified again; as another
    /// user only while it has no subscriptions.
    ///
    /// - Parameters:
    ///   - user: The user's name.
    ///   - device: Which of the user's devices it is.
    ///   - attributes: What else the application wants to remember.
    /// - Throws: ``IdentifyError``, and nothing is changed.
    public func identify(
        as user: String, device: String? = nil, attributes: [String: String] = [:]
    ) throws(IdentifyError) {
        guard !hasEnded else { throw .sessionEnded }
        let isKnown = self.user?.isSameBytes(as: user) ?? false
        guard isKnown || (subscriptions.isEmpty && returning.isEmpty) else {
            throw .hasSubscriptions
        }
        guard !isBanned(user) else { throw .banned }
        guard shard.directories.sessions.add(id, of: user, on: device) else {
            throw .tooManySessions
        }
        // Once more: a ban by another thread finds the session from now on, one before that is found here.
        guard !isBanned(user) else {
            if isKnown {
                // Back to where it was, for which there is room.
                _ = shard.directories.sessions.add(id, of: user, on: self.device)
            } else {
                shard.directories.sessions.remove(id, of: user)
            }
            throw .banned
        }
        if let known = self.user, !isKnown { shard.directories.sessions.remove(id, of: known) }
        self.user = user
        self.device = device
        self.attributes = attributes
        shard.identified(self)
        shard.tokenIsStale(of: self)
    }

    private func isBanned(_ user: String) -> Bool {
        shard.directories.bans.isBanned(user, at: shard.configuration.calendar())
    }
}

/// Why a session could not be of a user.
public enum IdentifyError: Error, Hashable, Sendable {
    /// The user is banned.
    case banned
    /// The user has ``HubConfiguration/sessionsPerUserMax`` sessions.
    case tooManySessions
    /// The session subscribes to topics, which count it as another user's, or as nobody's.
    case hasSubscriptions
    /// The session has ended.
    case sessionEnded
}
