internal import AllocationCounter
internal import Glibc
package import NetPoll

/// kevent(2) as its manual tells it, simulated over poll(2) with real sockets.
package final class SimulatedKernelQueue: KernelQueue {
    private struct Key: Hashable {
        let descriptor: Int32
        let filter: KernelEvent.Filter
    }

    private struct Registration {
        let flags: KernelEvent.Flags
        let token: UInt64
        /// The open file, so that a closed descriptor's filter ends although the number lives on.
        let file: UInt
        /// What was told, for filters that tell changes only.
        var told: KernelEvent.Flags?
        /// Bytes that were there when the kernel looked last.
        var bytes: Int32 = 0
    }

    /// Writes into a pipe that the wait watches.
    private struct PipeWaker: Waker {
        let descriptor: Int32

        func wake() { _ = write(descriptor, "w", 1) }
    }

    /// POLLRDHUP of poll(2), which is not imported.
    private static let peerEnded: Int32 = 0x2000

    package let waker: any Waker
    private let pipe: (out: Int32, into: Int32)
    private var registrations: [Key: Registration] = [:]

    /// Answers a change with an errno in place of making it.
    package var refuses: ((KernelEvent) -> Int32?)?

    package init() {
        var ends: [Int32] = [0, 0]
        Glibc.pipe(&ends)
        pipe = (ends[0], ends[1])
        waker = PipeWaker(descriptor: ends[1])
    }

    /// How often ``exchange(_:into:nanoseconds:)`` allocated, which no kernel's would.
    package private(set) var allocations: UInt64 = 0

    deinit {
        close(pipe.out)
        close(pipe.into)
    }

    package func exchange(
        _ changes: UnsafeBufferPointer<KernelEvent>,
        into events: UnsafeMutableBufferPointer<KernelEvent>, nanoseconds: Int64?
    ) throws(SystemError) -> Int {
        let before = allocation_counter_count()
        defer { allocations += allocation_counter_count() - before }
        var count = 0
        for change in changes {
            let code = apply(change) ?? (change.flags.contains(.receipt) ? 0 : nil)
            guard let code else { continue }
            events[count] = change
            events[count].flags.insert(.error)
            events[count].data = Int(code)
            count += 1
        }
        for (key, registration) in registrations
        where file(key.descriptor) != registration.file { registrations[key] = nil }
        let keys = registrations.keys.sorted {
            ($0.descriptor, $1.filter.rawValue) < ($1.descriptor, $0.filter.rawValue)
        }
        var polled = keys.map { key in
            pollfd(fd: key.descriptor, events: interest(key), revents: 0)
        }
        // What finds no place among the events stays with the kernel.
        let hasRoom = count < events.count
        polled.append(pollfd(fd: pipe.out, events: Int16(hasRoom ? POLLIN : 0), revents: 0))
        let milliseconds = nanoseconds.map { Int32(clamping: ($0 + 999_999) / 1_000_000) } ?? -1
        poll(&polled, nfds_t(polled.count), count > 0 ? 0 : milliseconds)
        if polled[keys.count].revents != 0 {
            var bytes = [UInt8](repeating: 0, count: 64)
            _ = read(pipe.out, &bytes, 64)
        }
        for (key, ready) in zip(keys, polled) where ready.revents != 0 && count < events.count {
            if let event = tell(key, Int32(ready.revents)) {
                events[count] = event
                count += 1
            }
        }
        return count
    }

    private func apply(_ change: KernelEvent) -> Int32? {
        if let code = refuses?(change) { return code }
        let key = Key(descriptor: change.descriptor, filter: change.filter)
        if change.flags.contains(.delete) {
            return registrations.removeValue(forKey: key) == nil ? ENOENT : nil
        }
        guard let file = file(change.descriptor) else { return EBADF }
        registrations[key] = Registration(flags: change.flags, token: change.token, file: file)
        return nil
    }

    /// What poll(2) is asked for; nothing where a filter that tells changes told all but the end.
    private func interest(_ key: Key) -> Int16 {
        let hasTold = registrations[key]?.told != nil
        switch key.filter {
        case .read where hasTold && registrations[key]?.bytes ?? 0 < bytes(key.descriptor):
            return Int16(POLLIN)
        case .read: return hasTold ? 0 : Int16(POLLIN) | Int16(Self.peerEnded)
        case .write: return hasTold ? 0 : Int16(POLLOUT)
        }
    }

    private func tell(_ key: Key, _ ready: Int32) -> KernelEvent? {
        guard let registration = registrations[key] else { return nil }
        var state: KernelEvent.Flags = []
        let ends = key.filter == .read ? Self.peerEnded | POLLHUP | POLLERR : POLLHUP | POLLERR
        if ready & ends != 0 { state.insert(.ended) }
        if registration.flags.contains(.clear) {
            guard registration.told != state || ready & Int32(POLLIN) != 0 else { return nil }
            registrations[key]?.told = state
            registrations[key]?.bytes = bytes(key.descriptor)
        }
        var event = KernelEvent(
            descriptor: key.descriptor, filter: key.filter, flags: state,
            data: ready & Int32(POLLIN) == 0 ? 0 : 1, token: registration.token)
        if ready & POLLERR != 0 { event.status = UInt32(EIO) }
        return event
    }

    private func bytes(_ descriptor: Int32) -> Int32 {
        var count: Int32 = 0
        return ioctl(descriptor, UInt(FIONREAD), &count) == 0 ? count : 0
    }

    private func file(_ descriptor: Int32) -> UInt? {
        var status = stat()
        return fstat(descriptor, &status) == 0 ? UInt(status.st_ino) : nil
    }
}
