/// Which interface of the kernel a group's loops use; see ``EventLoopGroup/Configuration/driver``.
public enum DriverChoice: String, Hashable, Sendable, CaseIterable {
    /// epoll on Linux, kqueue on Darwin.
    case automatic
    /// Readiness by epoll(7); Linux.
    case epoll
    /// Completions by io_uring(7), with multishot accepts and receives into the kernel's choice of
    /// provided buffers; Linux 6.1 or later, where it is not forbidden. Fewer system calls than
    /// epoll, not more throughput on loopback. Each loop lends the kernel up to 4 MiB of buffers to
    /// receive into, 16 KiB each.
    case ioUring
    /// Readiness by kqueue(2); Darwin. It has run on a simulated kernel queue only, not yet on Darwin.
    case kqueue
}

/// What a group does where its ``DriverChoice`` is not to be had: the system has no such interface,
/// or forbids it, be it only some of its calls (ENOSYS, EPERM).
public enum DriverFallback: Hashable, Sendable {
    /// The group is not made; the reason is thrown.
    case refuse
    /// The group uses ``DriverChoice/automatic``. One line on standard error says so and why, for
    /// whoever runs the server, and ``EventLoopGroup/fallbackReason`` tells the program.
    case automatic
}
