/// What a session's tasks have to tell when they are done, and what waits for them.
final class SessionTasks {
    /// Something that the client said of a topic.
    private struct Said {
        /// It ends the subscription.
        let isEnd: Bool
        let body: (Session) -> Void
    }

    var last: UInt32 = 0
    var open: [UInt32: (Session, any Sendable) -> Void] = [:]
    /// Topics that a subscription of the client has begun to wait for, until it is known whether the client may
    /// subscribe, or until they are read; and what it said of them since.
    private var held: [ExactName: [Said]] = [:]
    /// How much waits for an answer about a topic, or until it is read; but for the ends of subscriptions, of
    /// which there are no more than beginnings.
    var waiting = 0
    /// Answers that wait until the connection takes more.
    var answers = Ring<(Session) -> Void>()
    /// Whether the connection will be looked at again for them.
    var isAnsweringLater = false
    /// Reads of histories that wait for one another, so that no more than one is waiting to be told.
    var reads = Ring<(Session) -> Void>()
    /// Whether one of them is under way, or waits to be told.
    var isReading = false
    /// How many calls of ``goOn(with:_:_:)`` are under way.
    private var goingOn = 0

    /// Whether nothing is under way, and nothing waits.
    var isIdle: Bool {
        open.isEmpty && held.isEmpty && waiting == 0 && questions == 0 && goingOn == 0
    }

    /// How many questions of the client's wait.
    var questions: Int { answers.count + reads.count + (isReading ? 1 : 0) }

    func isHeld(_ topic: String) -> Bool { held[ExactName(topic)] != nil }

    /// Whether the last that waits for the topic is the end of the subscription.
    func isEndLast(of topic: String) -> Bool { held[ExactName(topic)]?.last?.isEnd ?? false }

    /// A subscription to it waits from now on, and what is said of it after that.
    func hold(_ topic: String) { held[ExactName(topic), default: []] += [] }

    /// Keeps the beginning of a subscription until what was said before is done.
    func begin(_ topic: String, _ body: @escaping (Session) -> Void) {
        held[ExactName(topic), default: []].append(Said(isEnd: false, body: body))
        waiting += 1
    }

    /// Keeps the end of a subscription until what was said before is done.
    func end(_ topic: String, _ body: @escaping (Session) -> Void) {
        held[ExactName(topic), default: []].append(Said(isEnd: true, body: body))
    }

    /// What the subscription waited for has come: does `body`, and then what was said meanwhile, in its order, up
    /// to what has to wait again.
    func goOn(with topic: String, _ session: Session, _ body: (Session) -> Void) {
        let name = ExactName(topic)
        goingOn += 1
        defer { goingOn -= 1 }
        var left = (held.removeValue(forKey: name) ?? [])[...]
        body(session)
        while held[name] == nil, let next = left.popFirst() {
            if !next.isEnd { waiting -= 1 }
            next.body(session)
        }
        if !left.isEmpty { held[name, default: []] += left }
    }
}

extension Session {
    var madeTasks: SessionTasks {
        if let tasks { return tasks }
        let made = SessionTasks()
        tasks = made
        return made
    }

    /// Lets go of them where nothing is under way.
    func dropIdleTasks() {
        if tasks?.isIdle ?? false { tasks = nil }
    }
}
