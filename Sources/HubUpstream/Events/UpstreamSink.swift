/// Who is told a hub's events: an application by RPC, a webhook, or something of yours.
public protocol UpstreamSink: Sendable {
    /// Tells one event, and waits until it is known what became of it.
    ///
    /// Called by a task that prefers the loop of ``UpstreamEvents``, for several sessions at a time, and
    /// for each of them one event after the other. It has to end: it bounds its own time. The task is
    /// cancelled where nobody waits for it any more.
    func tell(_ event: UpstreamEvent) async -> UpstreamOutcome
}

/// What became of an event that was told.
public enum UpstreamOutcome: Hashable, Sendable {
    /// The application has it.
    case delivered
    /// The application could not be reached or cannot take it now: it is told again, not before the
    /// application wants it.
    case failed(retryAfter: Duration? = nil)
    /// The application does not want it: it is not told again.
    case refused
}
