#if os(Linux)
    internal import CNetPoll
    internal import Glibc

    /// Wakes a loop that waits, from other threads (eventfd(2)).
    final class EventDescriptor: Waker {
        let descriptor: Int32

        init() throws(SystemError) {
            descriptor = cnetpoll_eventfd()
            guard descriptor >= 0 else { throw SystemError(code: errno, operation: "eventfd") }
        }

        deinit { Glibc.close(descriptor) }

        func wake() {
            var one: UInt64 = 1
            // Fails only when the counter is full, and then the loop is woken anyway.
            _ = write(descriptor, &one, 8)
        }

        func drain() {
            var count: UInt64 = 0
            // Fails only when the counter is zero already.
            _ = read(descriptor, &count, 8)
        }
    }
#endif
