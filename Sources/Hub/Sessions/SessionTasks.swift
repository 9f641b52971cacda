/// What a session's tasks have to tell when they are done, and what waits for them.
final class SessionTasks {
    var last: UInt32 = 0
    var open: [UInt32: (Session, any Sendable) -> Void] = [:]
    /// Topics of which it is asked whether the client may subscribe, and what it said of them since.
    private var asked: [ExactName: [(Session) -> Void]] = [:]
    /// How much waits for such an answer.
    private(set) var waiting = 0
    /// How much waits until the store has said what it knows of a topic.
    var awaitingTopics = 0

    func isAsked(about topic: String) -> Bool { asked[ExactName(topic)] != nil }

    /// Whether the client may subscribe is asked from now on.
    func asks(about topic: String) { asked[ExactName(topic), default: []] += [] }

    /// Keeps `body` until that is answered.
    func wait(for topic: String, _ body: @escaping (Session) -> Void) {
        asked[ExactName(topic), default: []].append(body)
        waiting += 1
    }

    /// It is answered: what waited is done in its order, up to what is asked about again.
    func goOn(with topic: String, _ session: Session) {
        let name = ExactName(topic)
        var left = (asked.removeValue(forKey: name) ?? [])[...]
        while asked[name] == nil, let next = left.popFirst() {
            waiting -= 1
            next(session)
        }
        if !left.isEmpty { asked[name, default: []] += left }
    }
}
