#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

// Who has the path of a Unix socket.
extension Socket {
    /// Binds, and does `start`; a Unix socket's file that no process listens on any more is replaced.
    ///
    /// A crash leaves such a file behind, and bind(2) would refuse the path for ever. Whether it is
    /// alive is asked by connecting to it, which is refused, too, by one that is bound and does not
    /// listen yet: so `start` makes it listen while others who begin in the same directory wait.
    static func bindReplacingStale(
        _ fd: Int32, _ address: SocketAddress, _ kind: Int32,
        _ start: () throws(SystemError) -> Void
    ) throws(SystemError) {
        func bindNow() throws(SystemError) -> Int32 {
            try Platform.withKernelAddress(address, "bind \(address)") { bind(fd, $0, $1) }
        }
        let lock = lockDirectory(of: address)
        defer { if let lock { close(lock) } }
        if try bindNow() != 0 {
            let code = errno
            guard case .unix(let path) = address, code == EADDRINUSE,
                isStale(path, address, kind), unlink(path) == 0
            else { throw SystemError(code: code, operation: "bind \(address)") }
            try check(bindNow(), "bind \(address)")
        }
        try start()
    }

    private static func isStale(_ path: String, _ address: SocketAddress, _ kind: Int32) -> Bool {
        var status = stat()
        guard !path.isEmpty, lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFSOCK,
            let probe = try? open(address, kind, "connect")  // Without a probe it counts as alive.
        else { return false }
        defer { close(probe) }
        // One that is no address was not bound.
        let result = try? Platform.withKernelAddress(address, "connect") {
            SystemCall.connectSocket(probe, $0, $1)
        }
        return result == -1 && errno == ECONNREFUSED
    }

    /// Locks the directory of a Unix socket's path (flock(2)) until the descriptor is closed, which
    /// leaves no file behind. `nil` for other addresses, and where that cannot be done.
    ///
    /// Whoever may read a directory may lock it, for other ends too. A beginning takes no millisecond:
    /// who has the lock for half a second keeps nobody out.
    private static func lockDirectory(of address: SocketAddress) -> Int32? {
        guard case .unix(let path) = address, SocketFile.isName(path) else { return nil }
        let name = path.utf8.lastIndex(of: UInt8(ascii: "/")).map { path[...$0] } ?? "."
        let directory = SystemCall.openFile(String(name), O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard directory >= 0 else { return nil }
        for _ in 0..<500 {
            if flock(directory, LOCK_EX | LOCK_NB) == 0 { return directory }
            guard errno == EWOULDBLOCK else { break }
            usleep(1_000)
        }
        close(directory)
        return nil
    }
}
