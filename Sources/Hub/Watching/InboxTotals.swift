/// What became of the messages of users' inboxes since the hub began; a message counts for each session
/// that it is sent to.
package struct InboxTotals: Hashable, Sendable, Encodable {
    /// Messages that were sent to sessions.
    package var given: UInt64 = 0
    /// Those of ``given`` that had been sent before.
    package var repeated: UInt64 = 0
    /// Messages that a session acknowledged while it was waited for that.
    package var acknowledged: UInt64 = 0

    package init() {}

    static func += (totals: inout InboxTotals, other: InboxTotals) {
        totals.given += other.given
        totals.repeated += other.repeated
        totals.acknowledged += other.acknowledged
    }
}
