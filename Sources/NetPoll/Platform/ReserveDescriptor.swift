internal import CNetPoll

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// A descriptor held back, to be given up for a moment when descriptors are exhausted.
struct ReserveDescriptor: ~Copyable {
    private var descriptor = Self.open()

    deinit {
        if descriptor >= 0 { SystemCall.closeDescriptor(descriptor) }
    }

    /// Accepts one connection in the reserve's place and closes it; `false` where none waited
    /// or the reserve itself is lost.
    mutating func shed(_ listener: Int32) -> Bool {
        guard descriptor >= 0 else {
            descriptor = Self.open()
            return false
        }
        SystemCall.closeDescriptor(descriptor)
        let fd = cnetpoll_accept(listener, nil, nil)
        if fd >= 0 { SystemCall.closeDescriptor(fd) }
        descriptor = Self.open()
        return fd >= 0
    }

    private static func open() -> Int32 {
        SystemCall.openFile("/dev/null", O_RDONLY | O_CLOEXEC)
    }
}
