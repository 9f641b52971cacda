public import Hub
public import NetPoll
public import WSTransport

/// Something that a hub said, or that became of the connection to it.
public struct HubClientEvent: Sendable {
    /// What it is.
    public enum Content: Hashable, Sendable {
        /// The session can be used; where it is not ``/Hub/ServerEnvelope/Welcome/isResumed``, the
        /// client subscribes to its topics again by itself.
        case connected(ServerEnvelope.Welcome)
        /// The connection is gone; the client connects again after so long, or never: `nil`.
        case disconnected(Ending, retryAfter: Duration?)
        /// A subscription began or goes on; where it has a position and is not recovered, there may
        /// be a gap.
        case subscribed(ServerEnvelope.Subscribed)
        /// A subscription ended that the client did not end, by this failure if there was one.
        case unsubscribed(topic: String, ServerEnvelope.Failure?)
        /// A message of a topic, in the topic's order, each once. Where the topic skips or conflates
        /// what a client reads too slowly (`SlowSubscriberPolicy`), offsets are left out and nothing
        /// else is told.
        case publication(topic: String, HubMessage, TopicPosition?)
        /// A message for this client.
        case message(HubMessage)
        /// A question, to be answered by ``HubClient/reply(to:with:)``.
        case request(RequestID, HubMessage)
        /// A message of the user's inbox, acknowledged when the handler has returned: what has to be
        /// done with it before it may be forgotten is to be done then, and not in a task that goes on.
        case inbox(InboxID, HubMessage)
        /// Who came to a topic and who left it.
        case presence(topic: String, PresenceChanges)
        /// The token to come back with, for who wants to keep it beyond the process.
        case token(String, expiry: Timestamp)
        /// The hub could not do something that nobody waits for.
        case failure(ServerEnvelope.Failure)
    }

    /// Why there is no connection.
    public enum Ending: Hashable, Sendable {
        /// It could not be opened.
        case unreachable(String)
        /// It was, and has ended.
        case closed(WebSocketCloseReason)
        /// The hub does not let the client in, or could not now: its login failed.
        case refused(ServerEnvelope.Failure)
        /// The hub does not speak the client's protocol.
        case unspoken
        /// ``HubClient/stop()`` was called.
        case stopped
    }

    /// What it is.
    public let content: Content
    /// When it came, by the loop's clock.
    public let time: Instant
}

/// Why a call had no success.
public enum HubClientError: Error, Hashable, Sendable {
    /// The hub did not do it.
    case failed(ServerEnvelope.Failure)
    /// The connection was lost before the answer came, and it is not to be asked twice.
    case disconnected
    /// No answer came in ``HubClient/Configuration/callTimeout``.
    case timedOut
    /// ``HubClient/Configuration/callsMax`` are open.
    case tooManyCalls
    /// The client was stopped, or gave up.
    case stopped
    /// The hub answered something else than it was asked.
    case unexpectedAnswer
}
