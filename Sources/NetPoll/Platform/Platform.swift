internal import CNetPoll

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// What the rest of the module needs of the C library; the only place, with the drivers beside it,
/// that calls it.
package enum Platform {
    /// An identifier of the calling thread; never 0.
    static var currentThread: UInt64 { cnetpoll_thread_id() }

    /// The system's monotonic clock (clock_gettime(2), CLOCK_MONOTONIC).
    package static var monotonicNow: Instant {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Instant(nanoseconds: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
    }

    /// Whole seconds since 1970 (clock_gettime(2), CLOCK_REALTIME); for what is shown to others.
    package static func unixTime() -> Int {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return time.tv_sec
    }

    /// Cores this process may use, where it is bound to some only those (sched_getaffinity(2)); at
    /// least 1.
    static var coreCount: Int {
        #if os(Linux)
            let usable = Int(cnetpoll_usable_processors())
            if usable > 0 { return usable }
        #endif
        return max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN)))
    }

    static func describe(errno code: Int32) -> String {
        var text = [CChar](repeating: 0, count: 256)
        guard strerror_r(code, &text, text.count) == 0 else { return "error \(code)" }
        return String(
            decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    static func isReset(_ code: Int32) -> Bool { code == ECONNRESET || code == EPIPE }

    static func isExhaustion(_ code: Int32) -> Bool {
        code == EMFILE || code == ENFILE || code == ENOBUFS || code == ENOMEM
    }

    /// What an error of connect(2) means.
    static func connectReason(_ error: SystemError) -> ConnectError.Reason {
        switch error.code {
        case ECONNREFUSED: .refused
        case ETIMEDOUT: .timedOut
        case ENETUNREACH, EHOSTUNREACH: .unreachable
        case ECANCELED: .shutdown
        default: .failed(error)
        }
    }

    /// Asks the kernel to back memory with huge pages (madvise(2), MADV_HUGEPAGE), where it can.
    static func preferHugePages(_ memory: UnsafeMutableRawPointer, byteCount: Int) {
        #if os(Linux)
            // A wish: where it is refused, usual pages do.
            _ = madvise(memory, byteCount, Int32(MADV_HUGEPAGE))
        #endif
    }

    /// Asks the processor to bring memory into its cache; touches nothing.
    @inline(__always)
    static func prefetch(_ memory: UnsafeRawPointer) { cnetpoll_prefetch(memory) }

    /// Brings the first 128 bytes of an object nearer, most of it or all.
    @inline(__always)
    package static func prefetchObject(_ memory: UnsafeRawPointer) {
        prefetch(memory)
        prefetch(memory + 64)
    }

    /// Writes a line to standard error; for what whoever runs the process has to know.
    static func logLine(_ text: String) {
        let line = Array((text + "\n").utf8)
        // Where nobody reads standard error, nobody misses the line.
        _ = write(STDERR_FILENO, line, line.count)
    }

    static func cancelledError(_ operation: String) -> SystemError {
        SystemError(code: ECANCELED, operation: operation)
    }

    /// The error numbers that simulated networks speak.
    package enum Errno {
        package static var connectionReset: Int32 { ECONNRESET }
        package static var tooManyFiles: Int32 { EMFILE }
        package static var noBuffers: Int32 { ENOBUFS }
        package static var addressInUse: Int32 { EADDRINUSE }
        package static var notSupported: Int32 { ENOSYS }
        package static var operationNotSupported: Int32 { EOPNOTSUPP }
        package static var connectionRefused: Int32 { ECONNREFUSED }
        package static var hostUnreachable: Int32 { EHOSTUNREACH }
        package static var addressNotAvailable: Int32 { EADDRNOTAVAIL }
        static var badDescriptor: Int32 { EBADF }
        static var invalidArgument: Int32 { EINVAL }
        static var cancelled: Int32 { ECANCELED }
    }
}

extension Platform {
    /// Makes the driver that was chosen.
    ///
    /// - Throws: ``SystemError``, with ENOSYS where this system has no such interface.
    package static func makeDriver(
        _ choice: DriverChoice = .automatic
    ) throws(SystemError) -> any Driver {
        #if os(Linux)
            switch choice {
            case .automatic, .epoll: return try EpollDriver()
            case .ioUring: return try UringDriver()
            case .kqueue: throw SystemError(code: ENOSYS, operation: "kqueue")
            }
        #elseif canImport(Darwin)
            switch choice {
            case .automatic, .kqueue: return KqueueDriver(queue: try DarwinKernelQueue())
            case .epoll: throw SystemError(code: ENOSYS, operation: "epoll_create1")
            case .ioUring: throw SystemError(code: ENOSYS, operation: "io_uring_setup")
            }
        #else
            #error("NetPoll has no driver for this system yet")
        #endif
    }

    static func makeReadinessQueue() throws(SystemError) -> any ReadinessQueue {
        #if os(Linux)
            try EpollQueue()
        #elseif canImport(Darwin)
            KernelReadinessQueue(queue: try DarwinKernelQueue())
        #else
            #error("NetPoll has no poller for this system yet")
        #endif
    }
}
