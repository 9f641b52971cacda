import NetPoll

/// What became of one session's messages since it is followed.
package struct SessionLedger: Hashable, Sendable, Encodable {
    /// Messages that came from the client.
    package var received: UInt64 = 0
    /// Messages for it alone that were handed to its connection; those of its inbox are among them.
    package var alone: UInt64 = 0
    /// Messages for it alone that had to wait first.
    package var queued: UInt64 = 0
    /// Messages for it alone that were dropped, because too many waited.
    package var dropped: UInt64 = 0
    /// Messages of topics that were handed to its connection as they came.
    package var live: UInt64 = 0
    /// Messages of topics that it was given later, when its connection took more.
    package var late: UInt64 = 0
    /// Times that it could not take a topic's message when that came.
    package var fellBehind: UInt64 = 0
    /// Messages of topics that it was not given, because it had fallen too far behind.
    package var skipped: UInt64 = 0
    /// Messages of topics that it was not given, because a later one replaced them.
    package var conflated: UInt64 = 0
    /// Volatile messages that it was not given, because it could not take them at once.
    package var volatileDropped: UInt64 = 0
    /// Times that it was told of a gap, or closed, because it had fallen too far behind.
    package var gaps: UInt64 = 0
    /// Messages of its user's inbox that were sent to it.
    package var given: UInt64 = 0
    /// Those of ``given`` that had been sent before.
    package var repeated: UInt64 = 0
    /// Messages of the inbox that it acknowledged.
    package var acknowledged: UInt64 = 0

    package init() {}
}

/// A session's ledger, kept while somebody asks for it.
final class SessionWatch {
    var ledger = SessionLedger()
    let since: Instant
    var askedAt: Instant

    init(at now: Instant) {
        since = now
        askedAt = now
    }
}

extension Session {
    /// Notes something in the ledger, where one is kept.
    @inline(__always)
    func note(_ change: (inout SessionLedger) -> Void) {
        guard isWatched, let watch = extras?.watch else { return }
        change(&watch.ledger)
    }
}
