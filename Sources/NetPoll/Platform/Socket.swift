internal import CNetPoll

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
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
        let fd = try open(address, SystemCall.streamSocket, "bind")
        do {
            if address.port != nil {
                set(fd, SOL_SOCKET, SO_REUSEADDR)
                // Accepted sockets inherit them on Linux, which saves calls for each.
                apply(options.socket, fd)
            }
            if options.joinsShared { set(fd, SOL_SOCKET, SO_REUSEPORT) }
            try bindReplacingStale(fd, address, SystemCall.streamSocket) {
                () throws(SystemError) in
                if options.sharesPort, !options.joinsShared { set(fd, SOL_SOCKET, SO_REUSEPORT) }
                try check(
                    SystemCall.listenOnSocket(fd, options.backlog), "listen \(address)")
            }
        } catch {
            close(fd)
            throw error
        }
        return (SocketHandle(rawValue: fd), localAddress(fd) ?? address)
    }

    /// Opens a socket and starts connecting it (connect(2)).
    static func connect(
        to address: SocketAddress, _ options: ConnectOptions
    ) throws(SystemError) -> SocketHandle {
        let fd = try open(address, SystemCall.streamSocket, "connect")
        do throws(SystemError) {
            if address.port != nil { apply(options.socket, fd) }
            if let local = options.localAddress {
                #if os(Linux)
                    // The port is chosen when the other end is known, so that ephemeral ports of
                    // different destinations may be shared (ip(7)).
                    if local.port == 0 { set(fd, Int32(IPPROTO_IP), IP_BIND_ADDRESS_NO_PORT) }
                #endif
                if local.port != nil { set(fd, SOL_SOCKET, SO_REUSEADDR) }
                let isBound = try Platform.withKernelAddress(local, "bind \(local)") {
                    bind(fd, $0, $1)
                }
                try check(isBound, "bind \(local)")
            }
            let result = try Platform.withKernelAddress(address, "connect \(address)") {
                SystemCall.connectSocket(fd, $0, $1)
            }
            // An interrupted connect goes on by itself.
            if result != 0, errno != EINPROGRESS, errno != EINTR {
                throw SystemError(code: errno, operation: "connect")
            }
        } catch {
            close(fd)
            throw error
        }
        return SocketHandle(rawValue: fd)
    }

    /// Opens a non-blocking socket of the address's family.
    static func open(
        _ address: SocketAddress, _ kind: Int32, _ operation: String
    ) throws(SystemError) -> Int32 {
        try Platform.checkName(address, "\(operation) \(address)")
        let family =
            switch address {
            case .v4: AF_INET
            case .v6: AF_INET6
            case .unix: AF_UNIX
            }
        let fd = cnetpoll_socket(family, kind)
        guard fd >= 0 else { throw SystemError(code: errno, operation: "socket") }
        return fd
    }

    /// Sets TCP's options (tcp(7)).
    static func apply(_ options: SocketOptions, _ fd: Int32) {
        let tcp = Int32(IPPROTO_TCP)
        if options.noDelay { set(fd, tcp, TCP_NODELAY) }
        guard let keepAlive = options.keepAlive else { return }
        set(fd, SOL_SOCKET, SO_KEEPALIVE)
        set(fd, tcp, SystemCall.keepAliveIdle, seconds(keepAlive.idle))
        set(fd, tcp, TCP_KEEPINTVL, seconds(keepAlive.interval))
        set(fd, tcp, TCP_KEEPCNT, Int32(clamping: max(1, keepAlive.probesMax)))
    }

    private static func seconds(_ duration: Duration) -> Int32 {
        Int32(clamping: (max(1, duration.inNanoseconds) - 1) / 1_000_000_000 + 1)
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

    static func set(
        _ fd: Int32, _ level: Int32, _ option: Int32, _ value: Int32 = 1
    ) {
        var value = value
        setsockopt(fd, level, option, &value, socklen_t(MemoryLayout<Int32>.size))
    }

    static func check(_ result: Int32, _ operation: String) throws(SystemError) {
        guard result == 0 else { throw SystemError(code: errno, operation: operation) }
    }
}
