import NetPoll
import NetPollTesting
import Synchronization

@testable import ConnPool

/// A server in the test's mind: what dials bring, how long they take, and what was closed.
///
/// Everything runs in the test's one thread, on a simulated loop.
final class FakeServer: Sendable {
    /// A connection to it.
    final class Link: Sendable {
        let number: Int
        let reporter: ConnectionReporter
        private let dead = Atomic<Bool>(false)

        init(number: Int, reporter: ConnectionReporter) {
            self.number = number
            self.reporter = reporter
        }

        var isDead: Bool { dead.load(ordering: .relaxed) }

        /// Breaks; the pool hears of it only where it is told.
        func die(tells: Bool) {
            dead.store(true, ordering: .relaxed)
            if tells { reporter.closed() }
        }
    }

    struct Refused: Error, CustomStringConvertible {
        let description = "nobody at home"
    }

    struct Broken: Error {}

    struct State {
        var dialTime = Duration.zero
        var refuses = false
        var dials = 0
        var links: [Link] = []
        var closed: [(number: Int, reason: PoolCloseReason)] = []
        var cancelledDials = 0
        /// How long a keepalive takes; `nil`: for ever.
        var answerTime: Duration? = .zero
        var probes = 0
        var closeTime: Duration? = .zero
    }

    let loop: EventLoop
    let state = Mutex(State())

    init(loop: EventLoop) {
        self.loop = loop
    }

    var dials: Int { state.withLock { $0.dials } }
    var links: [Link] { state.withLock { $0.links } }
    var closed: [Int] { state.withLock { $0.closed.map(\.number) } }
    var reasons: [PoolCloseReason] { state.withLock { $0.closed.map(\.reason) } }

    func set<Value>(_ path: WritableKeyPath<State, Value>, _ value: sending Value) {
        state.withLock { $0[keyPath: path] = value }
    }

    /// A connector whose dials take the server's time.
    func connector() -> PoolConnector<Link> {
        PoolConnector { [self] reporter in
            let time = state.withLock { state in
                state.dials += 1
                return state.dialTime
            }
            do {
                try await loop.pause(time)
            } catch {
                state.withLock { $0.cancelledDials += 1 }
                throw error
            }
            return try state.withLock { state in
                if state.refuses { throw Refused() }
                let link = Link(number: state.links.count, reporter: reporter)
                state.links.append(link)
                return link
            }
        } close: { [self] link, reason in
            state.withLock { $0.closed.append((link.number, reason)) }
            guard let time = state.withLock({ $0.closeTime }) else { return await loop.never() }
            // Nobody cancels a close.
            try? await loop.pause(time)
        }
    }

    /// The same, with a keepalive.
    func connectorWithKeepAlive() -> PoolConnector<Link> {
        var connector = connector()
        connector.keepAlive = { [self] link in
            let time = state.withLock { state in
                state.probes += 1
                return state.answerTime
            }
            guard let time else { return await loop.never() }
            try await loop.pause(time)
            if link.isDead { throw Broken() }
        }
        return connector
    }
}

extension EventLoop {
    /// Waits on the loop's clock; throws where the task is cancelled.
    func pause(_ duration: Duration) async throws {
        let pause = Pause(loop: self)
        try await pause.wait(duration)
    }

    /// Waits until the task is cancelled.
    func never() async {
        // Nothing else ends it.
        try? await pause(.seconds(1_000_000))
    }
}

/// One wait on a loop's clock.
private final class Pause: TimerTarget, Sendable {
    private struct State {
        var timer: TimerID?
        var isCancelled = false
        var continuation: CheckedContinuation<Void, any Error>?
    }

    private let loop: EventLoop
    private let state = Mutex(State())

    init(loop: EventLoop) {
        self.loop = loop
    }

    func wait(_ duration: Duration) async throws {
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let isCancelled = state.withLock { state in
                    if state.isCancelled { return true }
                    state.continuation = continuation
                    return false
                }
                if isCancelled { return continuation.resume(throwing: CancellationError()) }
                loop.execute { [self] in
                    let timer = loop.schedule(after: duration, self)
                    state.withLock { $0.timer = timer }
                }
            }
        } onCancel: {
            let (timer, continuation) = state.withLock { state in
                state.isCancelled = true
                defer { state.continuation = nil }
                return (state.timer, state.continuation)
            }
            continuation?.resume(throwing: CancellationError())
            loop.execute { [loop] in if let timer { loop.cancel(timer) } }
        }
    }

    func timerFired(_ id: TimerID, on loop: EventLoop) {
        let continuation = state.withLock { state in
            defer { state.continuation = nil }
            return state.continuation
        }
        continuation?.resume()
    }
}
