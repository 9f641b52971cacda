#if canImport(Darwin)
    internal import Darwin

    /// kqueue(2) itself. The only part of the kqueue driver that does not compile on Linux.
    final class DarwinKernelQueue: KernelQueue {
        /// Triggers the queue's user event.
        private struct UserEvent: Waker {
            let queue: Int32

            func wake() {
                var trigger = kevent(
                    ident: 0, filter: Int16(EVFILT_USER), flags: 0,
                    fflags: UInt32(NOTE_TRIGGER), data: 0, udata: nil)
                // Fails only where the queue is closed, and then nobody waits.
                _ = kevent(queue, &trigger, 1, nil, 0, nil)
            }
        }

        let waker: any Waker
        private let queue: Int32
        private var changed: [kevent] = []
        private var found: [kevent] = []

        init() throws(SystemError) {
            queue = kqueue()
            waker = UserEvent(queue: queue)
            guard queue >= 0 else { throw SystemError(code: errno, operation: "kqueue") }
            var user = kevent(
                ident: 0, filter: Int16(EVFILT_USER), flags: UInt16(EV_ADD | EV_CLEAR), fflags: 0,
                data: 0, udata: nil)
            guard kevent(queue, &user, 1, nil, 0, nil) == 0 else {
                throw SystemError(code: errno, operation: "kevent")
            }
        }

        deinit {
            if queue >= 0 { close(queue) }
        }

        func exchange(
            _ changes: UnsafeBufferPointer<KernelEvent>,
            into events: UnsafeMutableBufferPointer<KernelEvent>, nanoseconds: Int64?
        ) throws(SystemError) -> Int {
            changed.removeAll(keepingCapacity: true)
            for change in changes {
                changed.append(
                    kevent(
                        ident: UInt(change.descriptor), filter: change.filter.rawValue,
                        flags: change.flags.rawValue, fflags: 0, data: 0,
                        udata: UnsafeMutableRawPointer(bitPattern: UInt(change.token))))
            }
            if found.count < events.count {
                found = Array(repeating: kevent(), count: events.count)
            }
            var time = timespec(
                tv_sec: Int((nanoseconds ?? 0) / 1_000_000_000),
                tv_nsec: Int((nanoseconds ?? 0) % 1_000_000_000))
            let count = withUnsafePointer(to: &time) { time in
                kevent(
                    queue, changed, Int32(changed.count), &found, Int32(events.count),
                    nanoseconds == nil ? nil : time)
            }
            guard count >= 0 else {
                if errno == EINTR { return 0 }
                throw SystemError(code: errno, operation: "kevent")
            }
            var kept = 0
            for event in found[..<Int(count)] {
                guard let filter = KernelEvent.Filter(rawValue: event.filter) else { continue }
                events[kept] = KernelEvent(
                    descriptor: Int32(event.ident), filter: filter,
                    flags: KernelEvent.Flags(rawValue: event.flags), data: event.data,
                    token: UInt64(UInt(bitPattern: event.udata)))
                events[kept].status = event.fflags
                kept += 1
            }
            return kept
        }
    }
#endif
