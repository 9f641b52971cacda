/// Something that a client wants to do by itself, by a protocol that has a word for it.
public enum ClientAction: Hashable, Sendable {
    /// Subscribe to the topic of that name, which is made where there is none.
    case subscribe(topic: String)
    /// Publish to it.
    case publish(topic: String, HubMessage, Publication.Durability)
    /// Hear who is there.
    case members(topic: String)
    /// Read its history.
    case history(topic: String)
}

/// Whether a client may.
public enum Permission: Sendable {
    /// It may.
    case allow
    /// It may not, for that reason.
    case deny(String)
    /// It may not, and is told this.
    case refuse(EventFailure)
    /// That has to be found out first; the client's later messages do not wait for it.
    case ask(@Sendable () async -> Permission)
}
