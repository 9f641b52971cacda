extension Session {
    /// Says who the client is, as the application found out.
    ///
    /// Topics count their users by it, and messages to users reach the session from now on. Several
    /// sessions may be of one user, also on one device.
    ///
    /// - Parameters:
    ///   - user: The user's name.
    ///   - device: Which of the user's devices it is.
    ///   - attributes: What else the application wants to remember.
    /// - Throws: ``IdentifyError``, and nothing is changed.
    public func identify(
        as user: String, device: String? = nil, attributes: [String: String] = [:]
    ) throws(IdentifyError) {
        precondition(
            subscriptions.isEmpty, "the user of a session with subscriptions was changed")
        guard !hasEnded else { throw .sessionEnded }
        guard !shard.directories.bans.isBanned(user, at: shard.configuration.calendar()) else {
            throw .banned
        }
        guard shard.directories.sessions.add(id, of: user, on: device) else {
            throw .tooManySessions
        }
        if let known = self.user { shard.directories.sessions.remove(id, of: known) }
        self.user = user
        self.device = device
        self.attributes = attributes
        shard.identified(self)
        shard.tokenIsStale(of: self)
    }
}

/// Why a session could not be of a user.
public enum IdentifyError: Error, Hashable, Sendable {
    /// The user is banned.
    case banned
    /// The user has ``HubConfiguration/sessionsPerUserMax`` sessions.
    case tooManySessions
    /// The session has ended.
    case sessionEnded
}
