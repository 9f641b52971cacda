internal import CNetPoll

#if canImport(Glibc)
    internal import Glibc
#endif

/// Socket calls shared by the drivers of real kernels.
enum Socket {
    /// Opens a listening socket (socket(2), bind(2), listen(2)).
    ///
    /// The first listener of a shared port binds without SO_REUSEPORT and shares the port only
    /// afterwards: so the port being in use by another process is an error, and not a silent
    /// sharing of its connections.
    static func listen(
        on address: SocketAddress, _ options: ListenOptions
    ) throws(SystemError) -> (SocketHandle, SocketAddress) {
        let family: Int32
        switch address {
        case .v4: family = AF_INET
        case .v6: family = AF_INET6
        case .unix(let path):
            family = AF_UNIX
            guard path.utf8.count < 108 else {
                throw SystemError(code: ENAMETOOLONG, operation: "bind \(address)")
            }
        }
        let kind =
            Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
            | Int32(SOCK_CLOEXEC.rawValue)
        let fd = socket(family, kind, 0)
        guard fd >= 0 else { throw SystemError(code: errno, operation: "socket") }
        do {
            if family != AF_UNIX {
                set(fd, SOL_SOCKET, SO_REUSEADDR)
                // Accepted sockets inherit it on Linux, which saves a call for each.
                set(fd, Int32(IPPROTO_TCP), TCP_NODELAY)
            }
            if options.joinsShared { set(fd, SOL_SOCKET, SO_REUSEPORT) }
            try check(
                Platform.withKernelAddress(address) { bind(fd, $0, $1) }, "bind \(address)")
            if options.sharesPort, !options.joinsShared { set(fd, SOL_SOCKET, SO_REUSEPORT) }
            try check(Glibc.listen(fd, options.backlog), "listen \(address)")
        } catch {
            Glibc.close(fd)
            throw error
        }
        return (SocketHandle(rawValue: fd), localAddress(fd) ?? address)
    }

    /// Sends without waiting; returns how many bytes the kernel took, or a negative errno.
    static func send(_ fd: Int32, _ segments: UnsafeBufferPointer<Segment>) -> Int {
        while true {
            let count = sendOnce(fd, segments)
            if count >= 0 { return count }
            let code = errno
            if code == EAGAIN { return 0 }
            if code != EINTR { return -Int(code) }
        }
    }

    private static func sendOnce(_ fd: Int32, _ segments: UnsafeBufferPointer<Segment>) -> Int {
        if segments.count == 1 {
            return Glibc.send(fd, segments[0].base, segments[0].count, Int32(MSG_NOSIGNAL))
        }
        var message = msghdr()
        // Segment is laid out as iovec, and the kernel only reads through it.
        let raw = UnsafeMutableRawPointer(mutating: UnsafeRawPointer(segments.baseAddress))
        message.msg_iov = raw?.assumingMemoryBound(to: iovec.self)
        message.msg_iovlen = segments.count
        return sendmsg(fd, &message, Int32(MSG_NOSIGNAL))
    }

    static func localAddress(_ fd: Int32) -> SocketAddress? {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let result = withUnsafeMutablePointer(to: &storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                getsockname(fd, $0, &length)
            }
        }
        return result == 0 ? Platform.address(from: storage, length: length) : nil
    }

    /// The peer's address; `nil` where the connection is lost already (getpeername(2)).
    static func peerAddress(_ fd: Int32) -> SocketAddress? {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let result = withUnsafeMutablePointer(to: &storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                getpeername(fd, $0, &length)
            }
        }
        return result == 0 ? Platform.address(from: storage, length: length) : nil
    }

    /// Whether bytes or connections wait.
    static func isReadable(_ fd: Int32) -> Bool {
        var request = pollfd(fd: fd, events: Int16(POLLIN), revents: 0)
        return poll(&request, 1, 0) > 0
    }

    /// The pending error of a socket (SO_ERROR, socket(7)).
    static func pendingError(_ fd: Int32) -> Int32 {
        var code: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        guard getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &length) == 0 else { return errno }
        return code
    }

    /// Makes the coming close send RST and drop unsent bytes (SO_LINGER with 0 s, socket(7)).
    static func resetOnClose(_ fd: Int32) {
        var option = linger(l_onoff: 1, l_linger: 0)
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
    }

    private static func set(_ fd: Int32, _ level: Int32, _ option: Int32) {
        var on: Int32 = 1
        setsockopt(fd, level, option, &on, socklen_t(MemoryLayout<Int32>.size))
    }

    private static func check(_ result: Int32, _ operation: String) throws(SystemError) {
        guard result == 0 else { throw SystemError(code: errno, operation: operation) }
    }
}
