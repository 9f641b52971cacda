internal import CNetPoll

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// Catching signals (sigaction(2)).
enum Signals {
    /// Makes the pipe that the handler writes into.
    static func open() throws(SystemError) {
        guard cnetpoll_signals_open() == 0 else {
            throw SystemError(code: errno, operation: "pipe")
        }
    }

    static func `catch`(_ signal: Int32) throws(SystemError) {
        guard (1...63).contains(signal), cnetpoll_signals_catch(signal) == 0 else {
            throw SystemError(code: EINVAL, operation: "sigaction \(signal)")
        }
    }

    /// Leaves the signal to what it does by default.
    static func ignore(_ signal: Int32) { cnetpoll_signals_default(signal) }

    /// Waits for signals that were caught; a bit for each number.
    static func wait() -> UInt64 { cnetpoll_signals_wait() }
}
