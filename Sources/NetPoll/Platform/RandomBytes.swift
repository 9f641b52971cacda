internal import CNetPoll

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

extension Platform {
    /// Fills `buffer` from the kernel's cryptographically secure generator (getrandom(2)).
    ///
    /// Waits only while the machine has just started and has no entropy yet. Traps where the system
    /// has no such generator: going on with weak bytes would be worse.
    package static func fillWithRandomBytes(_ buffer: UnsafeMutableRawBufferPointer) {
        var filled = 0
        while filled < buffer.count {
            let rest = UnsafeMutableRawBufferPointer(rebasing: buffer[filled...])
            let count = cnetpoll_getrandom(rest.baseAddress, rest.count)
            if count > 0 {
                filled += count
                continue
            }
            let code = errno
            precondition(count < 0 && code == EINTR, "getrandom: \(describe(errno: code))")
        }
    }
}
