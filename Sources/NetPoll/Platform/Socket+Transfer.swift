internal import CNetPoll

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

// What drivers do with open sockets.
extension Socket {
    static func close(_ fd: Int32) { SystemCall.closeDescriptor(fd) }

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
            return SystemCall.sendBytes(fd, segments[0].base, segments[0].count)
        }
        var message = msghdr()
        // Segment is laid out as iovec, and the kernel only reads through it.
        let raw = UnsafeMutableRawPointer(mutating: UnsafeRawPointer(segments.baseAddress))
        message.msg_iov = raw?.assumingMemoryBound(to: iovec.self)
        message.msg_iovlen = .init(segments.count)
        return sendmsg(fd, &message, SystemCall.withoutSignal)
    }

    private static var fileBytesPerTurnMax: Int { 1 << 20 }

    /// Sends a part of a file without waiting, at most 1 MiB so that one long file does not hold
    /// the loop up; returns how many bytes the kernel took, or a negative errno (sendfile(2)).
    static func sendFile(_ fd: Int32, _ file: Int32, offset: Int, count: Int) -> Int {
        let part = UInt(min(count, fileBytesPerTurnMax))
        var sent = -1
        repeat {
            sent = cnetpoll_sendfile(fd, file, Int64(offset), part)
        } while sent < 0 && errno == EINTR
        // The file is shorter than was promised.
        if sent == 0 { return -Int(EIO) }
        guard sent < 0 else { return sent }
        return errno == EAGAIN ? 0 : -Int(errno)
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

    /// Whether a descriptor is a socket's.
    ///
    /// - Throws: ``SystemError``: EBADF where it is not open.
    static func isSocket(_ fd: Int32) throws(SystemError) -> Bool {
        var status = stat()
        try check(fstat(fd, &status), "fstat \(fd)")
        return status.st_mode & S_IFMT == S_IFSOCK
    }

    /// Whether bytes or connections wait.
    static func isReadable(_ fd: Int32) -> Bool {
        var request = pollfd(fd: fd, events: Int16(POLLIN), revents: 0)
        return poll(&request, 1, 0) > 0
    }
}
