#if os(Linux)
    internal import CNetPoll
    internal import Glibc

    /// epoll(7) for a ``Poller``.
    final class EpollQueue: ReadinessQueue {
        private static var eventsPerWaitMax: Int { 256 }
        private static var wakerData: UInt64 { .max }

        let waker: any Waker
        private let epoll: Int32
        private let wakeup: EventDescriptor
        private let events: UnsafeMutablePointer<epoll_event>

        init() throws(SystemError) {
            wakeup = try EventDescriptor()
            waker = wakeup
            events = .allocate(capacity: Self.eventsPerWaitMax)
            epoll = epoll_create1(O_CLOEXEC)
            // Where this or the next throws, deinit runs: everything is initialised.
            guard epoll >= 0 else { throw SystemError(code: errno, operation: "epoll_create1") }
            try control(EPOLL_CTL_ADD, wakeup.descriptor, .read, Self.wakerData)
        }

        deinit {
            events.deallocate()
            if epoll >= 0 { Glibc.close(epoll) }
        }

        func add(_ fd: Int32, _ interest: Poller.Interest, _ data: UInt64) throws(SystemError) {
            try control(EPOLL_CTL_ADD, fd, interest, data)
        }

        func change(_ fd: Int32, _ interest: Poller.Interest, _ data: UInt64) throws(SystemError) {
            try control(EPOLL_CTL_MOD, fd, interest, data)
        }

        func remove(_ fd: Int32, _ interest: Poller.Interest) {
            var event = epoll_event()
            // Fails where the descriptor was closed before, which took it out already.
            _ = epoll_ctl(epoll, EPOLL_CTL_DEL, fd, &event)
        }

        func wait(nanoseconds: Int64?) throws(SystemError) -> Int {
            var milliseconds: Int32 = -1
            if let nanoseconds {
                // Rounded up, and far from overflowing.
                let whole = nanoseconds / 1_000_000
                milliseconds = Int32(clamping: nanoseconds % 1_000_000 > 0 ? whole + 1 : whole)
            }
            let found = epoll_wait(epoll, events, Int32(Self.eventsPerWaitMax), milliseconds)
            guard found >= 0 else {
                if errno == EINTR { return 0 }
                throw SystemError(code: errno, operation: "epoll_wait")
            }
            var kept = 0
            for index in 0..<Int(found) {
                if events[index].data.u64 == Self.wakerData {
                    wakeup.drain()
                } else {
                    events[kept] = events[index]
                    kept += 1
                }
            }
            return kept
        }

        func event(_ index: Int) -> (data: UInt64, readiness: Poller.Readiness) {
            let bits = events[index].events
            var readiness: Poller.Readiness = []
            if bits & EPOLLIN.rawValue != 0 { readiness.insert(.read) }
            if bits & EPOLLOUT.rawValue != 0 { readiness.insert(.write) }
            if bits & EPOLLRDHUP.rawValue != 0 { readiness.insert(.readEnded) }
            if bits & EPOLLHUP.rawValue != 0 { readiness.insert(.hangUp) }
            if bits & EPOLLERR.rawValue != 0 { readiness.insert(.error) }
            return (events[index].data.u64, readiness)
        }

        private func control(
            _ operation: Int32, _ fd: Int32, _ interest: Poller.Interest, _ data: UInt64
        ) throws(SystemError) {
            var bits: UInt32 = 0
            if interest.contains(.read) { bits |= EPOLLIN.rawValue | EPOLLRDHUP.rawValue }
            if interest.contains(.write) { bits |= EPOLLOUT.rawValue }
            if interest.contains(.oneShot) { bits |= EPOLLONESHOT.rawValue }
            if interest.contains(.edge) { bits |= EPOLLET.rawValue }
            var event = epoll_event(events: bits, data: epoll_data(u64: data))
            guard epoll_ctl(epoll, operation, fd, &event) == 0 else {
                throw SystemError(code: errno, operation: "epoll_ctl \(fd)")
            }
        }
    }
#endif
