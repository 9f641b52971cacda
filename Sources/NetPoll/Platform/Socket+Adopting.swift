#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

extension Socket {
    /// Checks that a descriptor of somebody else is a stream socket that listens, and makes it one
    /// that a driver can use; returns where it listens.
    static func adoptListener(_ fd: Int32) throws(SystemError) -> SocketAddress {
        let operation = "adopt descriptor \(fd)"
        guard try option(fd, SO_TYPE, operation) == SystemCall.streamSocket,
            try option(fd, SO_ACCEPTCONN, operation) == 1
        else { throw SystemError(code: EINVAL, operation: operation) }
        guard let address = localAddress(fd) else {
            throw SystemError(code: EAFNOSUPPORT, operation: operation)
        }
        let flags = fcntl(fd, F_GETFL)
        guard flags >= 0, fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0,
            fcntl(fd, F_SETFD, FD_CLOEXEC) == 0
        else { throw SystemError(code: errno, operation: operation) }
        return address
    }

    private static func option(
        _ fd: Int32, _ name: Int32, _ operation: String
    ) throws(SystemError) -> Int32 {
        var value: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        try check(getsockopt(fd, SOL_SOCKET, name, &value, &length), operation)
        return value
    }
}
