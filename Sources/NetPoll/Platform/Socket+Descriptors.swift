internal import CNetPoll

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

// Passing descriptors over Unix sockets (SCM_RIGHTS, unix(7)).
extension Socket {
    /// The most descriptors taken with one receive; further ones are closed.
    private static var descriptorsMax: Int { 16 }

    /// Passes a descriptor with one byte; returns 1, 0 where there is no room, or a negative errno.
    static func sendDescriptor(_ fd: Int32, _ descriptor: Int32, mark: UInt8) -> Int {
        var sent: Int32 = -1
        repeat {
            sent = cnetpoll_send_descriptor(fd, descriptor, mark)
        } while sent < 0 && errno == EINTR
        if sent >= 0 { return 1 }
        return errno == EAGAIN ? 0 : -Int(errno)
    }

    /// As recv(2) into the loop's buffer, and tells the loop of the descriptors that came.
    static func receiveWithDescriptors(_ fd: Int32, _ token: Token, _ loop: EventLoop) -> Int {
        withUnsafeTemporaryAllocation(of: Int32.self, capacity: descriptorsMax) { found in
            var count: Int32 = 0
            let bytes = cnetpoll_receive_descriptors(
                fd, loop.receiveBuffer.baseAddress, UInt(loop.receiveBuffer.count),
                found.baseAddress, Int32(descriptorsMax), &count)
            let code = errno
            for index in 0..<Int(count) { loop.receivedDescriptor(found[index], on: token) }
            errno = code
            return bytes
        }
    }
}
