#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

extension Platform {
    /// What it means to a successor that it cannot connect to its predecessor; `nil` where there is none.
    static func handoverFailure(_ error: ConnectError) -> SystemError? {
        switch error.reason {
        case .refused, .cancelled, .shutdown, .unresolved: nil
        case .failed(let error) where error.code == ENOENT: nil
        case .failed(let error): error
        case .timedOut, .unreachable: timedOutError("\(error)")
        }
    }

    /// Whether the process at the other end of a Unix connection is of this process's user, or of root
    /// (SO_PEERCRED of unix(7), getpeereid(3)): a path's permissions may say less than was meant.
    static func isOfThisUser(peerOf descriptor: Int32) -> Bool {
        #if canImport(Glibc)
            // The process, its user and its group, each of 32 bits (struct ucred).
            var found: (process: Int32, user: UInt32, group: UInt32) = (0, .max, .max)
            var length = socklen_t(MemoryLayout.size(ofValue: found))
            guard getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &found, &length) == 0 else {
                return false
            }
            let user = found.user
        #elseif canImport(Darwin)
            var (user, group) = (uid_t.max, gid_t.max)
            guard getpeereid(descriptor, &user, &group) == 0 else { return false }
        #endif
        return user == geteuid() || user == 0
    }

    static func handoverForbidden(_ path: String) -> SystemError {
        SystemError(code: EPERM, operation: "take over from another user's process at \(path)")
    }

    static func handoverBusy(_ path: String) -> SystemError {
        SystemError(code: EBUSY, operation: "take over from \(path)")
    }

    static func handoverIncomplete(_ path: String, _ count: Int, of passed: Int) -> SystemError {
        SystemError(
            code: EMFILE, operation: "take over from \(path), \(count) of \(passed) sockets came")
    }

    static func timedOutError(_ operation: String) -> SystemError {
        SystemError(code: ETIMEDOUT, operation: operation)
    }
}
