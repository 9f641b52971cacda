import Hub
@testable import HubClientKit
import NetPoll

func place(_ offset: UInt64) -> TopicPosition {
    TopicPosition(epoch: Epoch(rawValue: 1), offset: offset)
}

/// A client's core that followed `a` up to 5 by its token, and a hub that says what a test lets it.
final class ScriptedCore {
    var core: ClientCore
    /// The topics it asked for in this session, each with the offset it named.
    private(set) var asked: [String] = []
    private(set) var finished: [RequestID: Result<ServerEnvelope, HubClientError>] = [:]
    /// The offsets of what was told.
    private(set) var told: [UInt64] = []
    /// The topics that were told to have ended.
    private(set) var ended: [String] = []
    /// The topics that the hub was asked to end.
    private(set) var left: [String] = []
    /// What it decided besides.
    private(set) var decided: [ClientCore.Action] = []
    private var lastAsked: RequestID?

    init(_ configure: (inout HubClient.Configuration) -> Void = { _ in }) {
        var configuration = HubClient.Configuration()
        configure(&configuration)
        core = ClientCore(configuration)
        begin(isResumed: nil)
        answers(subscribe("a"), at: 5)
        hearsOfToken()
        lose()
        finished = [:]
    }

    func lose() { perform(core.lost(at: Instant(nanoseconds: 0), fraction: 0).actions) }

    func begin(isResumed: Bool?) {
        asked = []
        perform(core.opened())
        hears(.welcome(.init(session: "s", messageBytesMax: 1)))
        switch isResumed {
        case true?: hears(.welcome(.init(session: "s", isResumed: true, messageBytesMax: 1)))
        case false?: hears(.failure(.init(code: .badToken)))
        case nil: break
        }
    }

    func subscribe(_ topic: String, after position: TopicPosition? = nil) -> RequestID {
        let id = core.makeID()
        perform(core.subscribe(id, to: topic, after: position))
        return id
    }

    @discardableResult
    func unsubscribe(_ topic: String) -> RequestID {
        let id = core.makeID()
        perform(core.unsubscribe(id, from: topic))
        return id
    }

    /// Refuses what was asked for last.
    @discardableResult
    func refuses(_ code: FailureCode, retryAfter: Duration? = nil) -> ServerEnvelope.Failure {
        let failure = ServerEnvelope.Failure(
            request: lastAsked, code: code, retryAfter: retryAfter)
        hears(.failure(failure))
        return failure
    }

    func timesOut(_ id: RequestID) { perform(core.timedOut(id)) }

    /// Asks for what could not be had.
    func renews() { perform(core.renewNow()) }

    func answers(_ id: RequestID, at offset: UInt64) {
        hears(
            .subscribed(
                .init(request: id, topic: "a", position: place(offset), isRecovered: true)))
    }

    func publishes(_ offset: UInt64) {
        hears(.publication(topic: "a", HubMessage(text: "x"), position: place(offset)))
    }

    func hearsOfToken() { hears(.token("t", expiry: Timestamp(milliseconds: 1))) }

    func hears(_ envelope: ServerEnvelope) {
        perform(core.received(envelope, at: Instant(nanoseconds: 0)))
    }

    private func perform(_ actions: [ClientCore.Action]) {
        for action in actions {
            switch action {
            case .send(.subscribe(let id, let topic, let position)):
                lastAsked = id
                asked.append(topic + (position.map { " \($0.offset)" } ?? ""))
            case .finish(let id, let result):
                finished[id] = result
            case .tell(.publication(_, _, let position?)):
                told.append(position.offset)
            case .send(.unsubscribe(_, let topic)):
                left.append(topic)
            case .send(.request(let id, _)):
                lastAsked = id
            case .tell(.unsubscribed(let topic, _)):
                ended.append(topic)
            case .send, .tell: break
            case .renewLater, .giveUp, .comeAgain:
                decided.append(action)
            }
        }
    }
}
