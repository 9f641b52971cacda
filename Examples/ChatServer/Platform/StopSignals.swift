#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// SIGTERM and SIGINT as something to wait for.
enum StopSignals {
    /// Keeps the signals from ending the process, and SIGPIPE for good.
    ///
    /// To be called on the main thread before others are started, which inherit it.
    static func hold() {
        var signals = set
        pthread_sigmask(SIG_BLOCK, &signals, nil)
        // A reader of the log that goes away must not end the server.
        signal(SIGPIPE, SIG_IGN)
    }

    /// Blocks the calling thread until one of the signals comes.
    ///
    /// - Returns: The signal's number.
    static func wait() -> CInt {
        var signals = set
        var signal: CInt = 0
        while sigwait(&signals, &signal) != 0 {}
        return signal
    }

    private static var set: sigset_t {
        var signals = sigset_t()
        sigemptyset(&signals)
        sigaddset(&signals, SIGTERM)
        sigaddset(&signals, SIGINT)
        return signals
    }
}
