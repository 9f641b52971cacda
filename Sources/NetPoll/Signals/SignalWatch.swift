import Synchronization

/// The interest in one signal; see ``EventLoop/watch(_:_:)``.
///
/// A thread of its own is told of signals by a pipe, the first time any is watched: a handler may do
/// next to nothing else (signal-safety(7)), and one that blocks nothing needs no thread's mask.
public final class SignalWatch: Sendable {
    typealias Body = @Sendable (ProcessSignal) -> Void

    /// Whether a watch was cancelled, for what is on its way to its body.
    final class Standing: Sendable {
        private let ended = Atomic(false)

        var isOver: Bool { ended.load(ordering: .sequentiallyConsistent) }

        fileprivate func end() { ended.store(true, ordering: .sequentiallyConsistent) }
    }

    private struct Interest {
        let standing: Standing
        let body: Body
    }

    private struct State {
        var interests: [Int32: [UInt64: Interest]] = [:]
        var nextID: UInt64 = 0
        var hasThread = false
    }

    private static let state = Mutex(State())

    /// What is watched.
    public let signal: ProcessSignal
    private let id: UInt64
    private let standing: Standing

    private init(_ signal: ProcessSignal, _ id: UInt64, _ standing: Standing) {
        self.signal = signal
        self.id = id
        self.standing = standing
    }

    deinit { cancel() }

    /// Ends the watch: when this returns, its body is not called any more, but may be under way.
    /// Without any watch the signal does again what it does by default.
    public func cancel() {
        standing.end()
        // Released without the lock: the body may be the last to hold another watch.
        let interest = Self.state.withLock { state -> Interest? in
            let interest = state.interests[signal.rawValue]?.removeValue(forKey: id)
            if interest != nil, state.interests[signal.rawValue]?.isEmpty == true {
                state.interests[signal.rawValue] = nil
                Signals.ignore(signal.rawValue)
            }
            return interest
        }
        withExtendedLifetime(interest) {}
    }

    // `standing` is asked before `body` is called; a body that hands over asks it again.
    static func start(
        _ signal: ProcessSignal, _ standing: Standing = Standing(), _ body: @escaping Body
    ) throws(SystemError) -> SignalWatch {
        try state.withLock { state throws(SystemError) in
            if !state.hasThread {
                try Signals.open()
                try LoopThread.start { while true { tell(Signals.wait()) } }
                state.hasThread = true
            }
            // Noted before it is caught, so that not even the first one is missed.
            state.nextID += 1
            let isFirst = state.interests[signal.rawValue] == nil
            if isFirst { try Signals.catch(signal.rawValue) }
            let interest = Interest(standing: standing, body: body)
            state.interests[signal.rawValue, default: [:]][state.nextID] = interest
            return SignalWatch(signal, state.nextID, standing)
        }
    }

    private static func tell(_ pending: UInt64) {
        for number in 1..<Int32(64) where pending & (1 << UInt64(number)) != 0 {
            let interests = state.withLock { $0.interests[number].map { Array($0.values) } ?? [] }
            // One of them may cancel those that come after it.
            for interest in interests where !interest.standing.isOver {
                interest.body(ProcessSignal(rawValue: number))
            }
        }
    }
}
