/// Keeps what must outlive a connection: the topics' histories and the users' inboxes.
///
/// The hub calls it from tasks that run on its loops. An implementation therefore must not block the
/// calling thread: it hands the work to a thread or connection of its own and suspends the caller
/// (async functions here run on their caller's executor until they first suspend).
///
/// Rules that every implementation keeps, and that `MessageStoreSuite` of HubTesting checks:
///
/// - **A batch is all or nothing.** When a call returns, everything in its batch is as durable as
///   ``durability`` says; when it throws, none of the batch has happened.
/// - **Order.** Entries of a batch take effect in its order. The hub awaits one ``append(_:at:)``
///   before it begins the next, and likewise ``deposit(_:at:)``, so that a slow commit makes larger
///   batches; both may run beside each other and beside reads.
/// - **Time is told.** `now` is the hub's calendar; a store reads no clock. What has expired by `now`
///   is not returned any more, and goes for good with ``removeExpired(at:)`` at the latest. The
///   calendar may jump, also back.
/// - **Names are bytes.** Topics, users and keys are compared by their UTF-8 bytes, without
///   normalisation or case.
/// - **Fields are kept.** Every field of a ``HubMessage`` comes back as it was given, an absent one
///   as absent, an empty one as empty.
/// - Any thread may call; calls after ``close()`` throw ``StoreError/Reason/closed``.
public protocol MessageStore: AnyObject, Sendable {
    /// What survives.
    var durability: StoreDurability { get }

    // MARK: - History

    /// Appends messages to the histories of their topics.
    ///
    /// Offsets of a topic begin with 1 and grow by one with each appended message, whatever the
    /// history's limits have dropped since. A topic that the store does not know gets the entry's
    /// ``HistoryAppend/epochIfNew``; a known topic keeps its epoch for as long as its offsets
    /// continue.
    ///
    /// An entry with an idempotency key that was appended to the same topic less than
    /// ``HistoryAppend/idempotencyWindow`` ago (also earlier in the batch) is not appended again: its
    /// answer is the first one's position.
    ///
    /// - Returns: What became of each entry, in the batch's order.
    func append(
        _ batch: [HistoryAppend], at now: Timestamp
    ) async throws(StoreError) -> [HistoryAppended]

    /// Reads a topic's history forwards.
    ///
    /// - Parameters:
    ///   - topic: The topic's name.
    ///   - position: Up to where the asker knows it; `nil` for the newest messages within `limit`.
    ///   - limit: How much to return. Where there is more after `position`, the oldest of it comes
    ///     and ``HistoryPage/hasMore`` is true; without a position, the newest. At least one message
    ///     comes where there is one.
    ///   - now: The time; messages older than their topic's ``HistoryLimits/age`` are gone.
    /// - Returns: The messages, oldest first, with what is known of the topic; `nil` for a topic that
    ///   the store does not know.
    /// - Throws: ``StoreError``.
    func history(
        of topic: String, after position: TopicPosition?, limit: PageLimit, at now: Timestamp
    ) async throws(StoreError) -> HistoryPage?

    /// Forgets a topic: its messages, epoch, offset and idempotency keys.
    func removeHistory(of topic: String) async throws(StoreError)

    // MARK: - Inboxes

    /// Puts messages into the inboxes of users.
    ///
    /// Ids of an inbox grow, and none is given twice, also after all its messages have gone, or the
    /// process with them: clients know messages by their ids. An entry with an idempotency key that
    /// was deposited for the same user less than ``InboxDeposit/idempotencyWindow`` ago is answered
    /// ``InboxDeposited/duplicate(_:)`` with the first one's id, also where that message has been
    /// acknowledged since.
    ///
    /// - Returns: What became of each entry, in the batch's order. One entry's refusal is no error:
    ///   the others are stored.
    func deposit(
        _ batch: [InboxDeposit], at now: Timestamp
    ) async throws(StoreError) -> [InboxDeposited]

    /// Reads what a user has not acknowledged: neither expired nor quarantined, the lowest ids first.
    ///
    /// - Parameters:
    ///   - user: Whose inbox.
    ///   - id: Only messages with higher ids; `nil` for all.
    ///   - limit: How much to return; at least one message comes where there is one.
    ///   - now: The time.
    /// - Returns: The messages, and whether there are more.
    /// - Throws: ``StoreError``.
    func unacknowledged(
        of user: String, after id: InboxID?, limit: PageLimit, at now: Timestamp
    ) async throws(StoreError) -> InboxPage

    /// Removes messages that their receiver has. Ids that are unknown or gone are passed over: an
    /// acknowledgement may come twice.
    func acknowledge(_ batch: [InboxReference]) async throws(StoreError)

    /// Counts one delivery of each of these messages, which ``InboxMessage/attempts`` tells from then
    /// on. Unknown ids are passed over.
    func countAttempts(_ batch: [InboxReference]) async throws(StoreError)

    /// Sets messages aside that were delivered too often without being acknowledged: they are
    /// returned by ``quarantined(of:limit:at:)`` only, until they are acknowledged or expire. Unknown
    /// ids are passed over.
    func quarantine(_ batch: [InboxReference]) async throws(StoreError)

    /// Reads what was set aside, the lowest ids first.
    func quarantined(
        of user: String, limit: PageLimit, at now: Timestamp
    ) async throws(StoreError) -> InboxPage

    // MARK: - Life

    /// Removes messages and idempotency keys that have expired; the hub calls it now and then.
    ///
    /// - Returns: How many messages went.
    @discardableResult
    func removeExpired(at now: Timestamp) async throws(StoreError) -> Int

    /// Ends what is under way and releases what the store holds. A second call does nothing.
    func close() async
}

/// What of a store survives.
public enum StoreDurability: Hashable, Sendable {
    /// Nothing survives the process. Topics then keep their histories themselves, and the store only
    /// the inboxes.
    case process
    /// What was answered survives the process, and the machine as far as its disk does.
    case durable
}
