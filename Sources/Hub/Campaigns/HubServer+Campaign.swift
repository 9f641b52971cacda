import NetPoll
import Synchronization

extension HubServer {
    /// Sends a message to many sessions no faster than so many a second, so that what else the hub
    /// does is not held up, and what they answer comes spread out.
    ///
    /// - Parameters:
    ///   - message: What is sent; encoded once for each protocol.
    ///   - recipients: Who is meant: the sessions there are now.
    ///   - rate: Messages a second, at least 1.
    /// - Returns: What tells how far it has come and steers it.
    @discardableResult
    public func campaign(
        _ message: HubMessage, to recipients: Recipients, rate: Int
    ) -> Campaign {
        let campaign = Campaign(hub: self, message: message, rate: rate, on: shards[0].loop)
        let topic = recipients.topic.flatMap(existingTopic)
        if topic == nil, recipients.topic != nil {
            campaign.begin([])
            return campaign
        }
        if let ids = directories.sessions.sessions(of: recipients) {
            campaign.begin(ids.map { .session($0) })
            return campaign
        }
        let found = Found(loops: shards.count)
        let add: @Sendable ([SessionID]) -> Void = { ids in
            if let all = found.add(ids) { campaign.begin(all.map { .session($0) }) }
        }
        let isMeant = recipients.filter
        for shard in shards {
            let willRun = shard.loop.execute {
                var ids: [SessionID] = []
                shard.forEachSession(of: topic) { if isMeant($0) { ids.append($0.id) } }
                add(ids)
            }
            // A loop that was shut down has no sessions.
            if !willRun { add([]) }
        }
        return campaign
    }

    /// Puts a message into the inboxes of many users, no faster than so many a second: those who are
    /// there get it at once, and the others when they come.
    ///
    /// A campaign is not kept by the store: one that ended with its process is begun again, with the same
    /// key, and who was given the message within the last 24 hours does not get it twice.
    ///
    /// - Parameters:
    ///   - message: What it says.
    ///   - users: Whose inboxes.
    ///   - rate: Deposits a second, at least 1.
    ///   - idempotencyKey: Names the campaign, so that it may be begun again.
    /// - Returns: What tells how far it has come and steers it.
    @discardableResult
    public func campaign(
        _ message: HubMessage, toInboxesOf users: [String], rate: Int,
        idempotencyKey: String? = nil
    ) -> Campaign {
        let campaign = Campaign(
            hub: self, message: message, rate: rate, idempotencyKey: idempotencyKey,
            on: shards[0].loop)
        campaign.begin(users.map { .inbox(of: $0) })
        return campaign
    }

    /// Gathers what the loops find.
    private final class Found: Sendable {
        private let state: Mutex<(ids: [SessionID], loopsLeft: Int)>

        init(loops: Int) {
            state = Mutex(([], loops))
        }

        /// All of it, once the last loop has added its own.
        func add(_ ids: [SessionID]) -> [SessionID]? {
            state.withLock { state in
                state.ids += ids
                state.loopsLeft -= 1
                return state.loopsLeft == 0 ? state.ids : nil
            }
        }
    }
}
