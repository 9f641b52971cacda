import Synchronization

/// Asks the system's resolver (getaddrinfo(3)) on threads of its own.
///
/// Threads are started when there are questions and end when there are none. getaddrinfo(3) cannot be
/// given up: where name servers are silent each thread hangs as long as resolv.conf(5) says, 10 s and
/// more, and other questions wait. Who asks does not: connecting ends by its own timeout, or when it is
/// cancelled.
public final class SystemResolver: Resolver {
    /// Resolves for everybody who chooses no other.
    public static let shared = SystemResolver()

    private struct Question: Sendable {
        let host: String
        let port: UInt16
        let family: AddressFamily
        let completion: @Sendable (Result<[SocketAddress], ResolveError>) -> Void
    }

    private struct State {
        var threads = 0
        var waiting: [Question] = []
        var first = 0
    }

    package typealias LookUp =
        @Sendable (_ host: String, _ port: UInt16, AddressFamily) -> Result<
            [SocketAddress], ResolveError
        >

    private let lookUp: LookUp
    private let threadsMax: Int
    private let waitingMax: Int
    private let state = Mutex(State())

    /// Questions that are held, waiting or answered a short while ago.
    package var questionsHeld: Int { state.withLock { $0.waiting.count } }

    /// - Parameters:
    ///   - threadsMax: Questions asked at one time. Default 4.
    ///   - waitingMax: Questions that may wait for a thread; further ones fail with
    ///     ``ResolveError/overloaded``. Default 1,024.
    public init(threadsMax: Int = 4, waitingMax: Int = 1_024) {
        precondition(threadsMax > 0, "a resolver of \(threadsMax) threads")
        precondition(waitingMax >= 0, "a resolver of \(waitingMax) waiting questions")
        self.threadsMax = threadsMax
        self.waitingMax = waitingMax
        lookUp = { Platform.resolve($0, port: $1, family: $2) }
    }

    /// One that does `lookUp`, which may take long, in place of asking the system.
    package init(threadsMax: Int, waitingMax: Int, lookUp: @escaping LookUp) {
        self.threadsMax = threadsMax
        self.waitingMax = waitingMax
        self.lookUp = lookUp
    }

    public func resolve(
        _ host: String, port: UInt16, family: AddressFamily,
        completion: @escaping @Sendable (Result<[SocketAddress], ResolveError>) -> Void
    ) {
        let question = Question(host: host, port: port, family: family, completion: completion)
        let (isTaken, needsThread) = state.withLock { state in
            if state.threads < threadsMax {
                state.threads += 1
                return (true, true)
            }
            guard state.waiting.count - state.first < waitingMax else { return (false, false) }
            state.waiting.append(question)
            return (true, false)
        }
        guard isTaken else {
            completion(.failure(.overloaded))
            return
        }
        guard needsThread else { return }
        do {
            try LoopThread.start { [self] in answer(question) }
        } catch {
            state.withLock { $0.threads -= 1 }
            completion(.failure(.overloaded))
        }
    }

    private func answer(_ first: Question) {
        var next: Question? = first
        while let question = next {
            question.completion(lookUp(question.host, question.port, question.family))
            next = state.withLock { state in
                guard state.first < state.waiting.count else {
                    state.threads -= 1
                    return nil
                }
                let question = state.waiting[state.first]
                state.first += 1
                if state.first == state.waiting.count {
                    state.waiting = []
                    state.first = 0
                } else if state.first > 64, state.first * 2 > state.waiting.count {
                    // Now and then, so that a queue that never empties forgets what was answered.
                    state.waiting.removeFirst(state.first)
                    state.first = 0
                }
                return question
            }
        }
    }
}
