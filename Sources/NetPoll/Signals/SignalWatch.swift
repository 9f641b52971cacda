import Synchronization

/// The interest in one signal; see ``EventLoop/watch(_:_:)``.
///
/// A thread of its own is told of signals by a pipe, the first time any is watched: a handler may do
/// next to nothing else (signal-safety(7)), and one that blocks nothing needs no thread's mask.
public final class SignalWatch: Sendable {
    private struct State {
        var bodies: [Int32: [UInt64: @Sendable (ProcessSignal) -> Void]] = [:]
        var nextID: UInt64 = 0
        var hasThread = false
    }

    private static let state = Mutex(State())

    /// What is watched.
    public let signal: ProcessSignal
    private let id: UInt64

    private init(_ signal: ProcessSignal, _ id: UInt64) {
        self.signal = signal
        self.id = id
    }

    deinit { cancel() }

    /// Ends the watch: when this returns, its body is not called any more, but may be under way.
    /// Without any watch the signal does again what it does by default.
    public func cancel() {
        // Released without the lock: the body may be the last to hold another watch.
        let body = Self.state.withLock { state -> (@Sendable (ProcessSignal) -> Void)? in
            let body = state.bodies[signal.rawValue]?.removeValue(forKey: id)
            if body != nil, state.bodies[signal.rawValue]?.isEmpty == true {
                state.bodies[signal.rawValue] = nil
                Signals.ignore(signal.rawValue)
            }
            return body
        }
        withExtendedLifetime(body) {}
    }

    static func start(
        _ signal: ProcessSignal, _ body: @escaping @Sendable (ProcessSignal) -> Void
    ) throws(SystemError) -> SignalWatch {
        try state.withLock { state throws(SystemError) in
            if !state.hasThread {
                try Signals.open()
                try LoopThread.start { while true { tell(Signals.wait()) } }
                state.hasThread = true
            }
            // Noted before it is caught, so that not even the first one is missed.
            state.nextID += 1
            let isFirst = state.bodies[signal.rawValue] == nil
            if isFirst { try Signals.catch(signal.rawValue) }
            state.bodies[signal.rawValue, default: [:]][state.nextID] = body
            return SignalWatch(signal, state.nextID)
        }
    }

    private static func tell(_ pending: UInt64) {
        for number in 1..<Int32(64) where pending & (1 << UInt64(number)) != 0 {
            let bodies = state.withLock { $0.bodies[number].map { Array($0.values) } ?? [] }
            for body in bodies { body(ProcessSignal(rawValue: number)) }
        }
    }
}
