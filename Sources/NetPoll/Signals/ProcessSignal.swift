/// A signal that the process was sent, by its number (signal(7)).
public struct ProcessSignal: RawRepresentable, Hashable, Sendable {
    public let rawValue: Int32

    /// - Parameter rawValue: From 1 to 63, and neither SIGKILL nor SIGSTOP, nor one of those that a
    ///   fault of the process itself raises, such as SIGSEGV.
    public init(rawValue: Int32) {
        self.rawValue = rawValue
    }

    /// SIGHUP: by convention, read the configuration again.
    public static var hangUp: ProcessSignal { ProcessSignal(rawValue: 1) }
    /// SIGINT: the terminal's Ctrl-C.
    public static var interrupt: ProcessSignal { ProcessSignal(rawValue: 2) }
    /// SIGTERM: come to an end.
    public static var terminate: ProcessSignal { ProcessSignal(rawValue: 15) }

    /// These signals as events: each is told once for any number that came in short order, and no
    /// longer does what it would by default, such as end the process, while somebody iterates.
    ///
    /// ```swift
    /// for await signal in try ProcessSignal.events(.terminate, .interrupt) { break }
    /// await group.shutdown(gracefullyWithin: .seconds(10))
    /// ```
    ///
    /// At most 16 wait to be taken; then the oldest are dropped.
    ///
    /// - Throws: ``SystemError``, EINVAL for a signal that cannot be caught.
    public static func events(
        _ signals: ProcessSignal...
    ) throws(SystemError) -> AsyncStream<ProcessSignal> {
        let (stream, continuation) = AsyncStream.makeStream(
            of: ProcessSignal.self, bufferingPolicy: .bufferingNewest(16))
        var watches: [SignalWatch] = []
        for signal in Set(signals) {
            watches.append(try SignalWatch.start(signal) { _ = continuation.yield($0) })
        }
        continuation.onTermination = { [watches] _ in for watch in watches { watch.cancel() } }
        return stream
    }
}

extension EventLoop {
    /// Calls `body` on this loop when the process is sent `signal`, until the watch is cancelled or
    /// let go of. Any thread may call this.
    ///
    /// Signals of one number that come in short order are told once. While anybody watches it, the
    /// signal does not do what it would by default.
    ///
    /// - Throws: ``SystemError``, EINVAL for a signal that cannot be caught.
    public func watch(
        _ signal: ProcessSignal, _ body: @escaping @Sendable (ProcessSignal) -> Void
    ) throws(SystemError) -> SignalWatch {
        let standing = SignalWatch.Standing()
        return try SignalWatch.start(signal, standing) { [weak self] signal in
            self?.execute {
                // It may have been cancelled while this was on its way.
                if !standing.isOver { body(signal) }
            }
        }
    }
}
