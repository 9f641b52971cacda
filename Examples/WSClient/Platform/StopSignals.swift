#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// SIGTERM and SIGINT as something to wait for.
enum StopSignals {
    private static let numbers = [SIGTERM, SIGINT]

    /// Keeps the signals, and SIGPIPE, from ending the process; to be called on the main thread
    /// before others are started, which inherit it.
    static func hold() {
        var held = sigset_t()
        sigemptyset(&held)
        for number in numbers { sigaddset(&held, number) }
        pthread_sigmask(SIG_BLOCK, &held, nil)
        signal(SIGPIPE, SIG_IGN)
    }

    /// Blocks the calling thread until one of the signals comes, and says which.
    static func wait() -> CInt {
        var awaited = sigset_t()
        sigemptyset(&awaited)
        for number in numbers { sigaddset(&awaited, number) }
        var number: CInt = 0
        while sigwait(&awaited, &number) != 0 {}
        return number
    }
}
