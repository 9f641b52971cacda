#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// kqueue(2) for a ``Poller``.
///
/// A kernel queue tells each direction apart and knows neither one-shots of both nor a hang-up that
/// nobody asked for. So a descriptor's two events become one here, a one-shot's filters are deleted
/// once it was told, and a socket always has a write filter: where writing is not asked for it tells
/// changes only, of which the end is told and the rest is not.
///
/// It has run on a simulated kernel queue only, not yet on Darwin.
package final class KernelReadinessQueue: ReadinessQueue {
    private struct Entry {
        var data: UInt64 = 0
        var interest: Poller.Interest = []
        var isRegistered = false
        var isSocket = false
        /// The filters that are with the kernel.
        var hasRead = false
        var hasWrite = false
        /// Sending ended, which the kernel tells once only where writing is not asked for.
        var isHungUp = false
        /// Where this wait's event of the descriptor is.
        var found = -1
    }

    private static var eventsPerWaitMax: Int { 256 }

    package var waker: any Waker { queue.waker }
    private let queue: any KernelQueue
    private let events: UnsafeMutableBufferPointer<KernelEvent>
    private var entries: [Entry] = []
    private var changes: [KernelEvent] = []
    private var found: [(descriptor: Int, data: UInt64, readiness: Poller.Readiness)] = []

    package init(queue: any KernelQueue) {
        self.queue = queue
        events = .allocate(capacity: Self.eventsPerWaitMax)
    }

    deinit { events.deallocate() }

    // MARK: - Registrations

    package func add(
        _ fd: Int32, _ interest: Poller.Interest, _ data: UInt64
    ) throws(SystemError) {
        let isSocket = try Socket.isSocket(fd)
        while entries.count <= Int(fd) {
            entries.append(contentsOf: repeatElement(Entry(), count: max(64, entries.count)))
        }
        guard !entries[Int(fd)].isRegistered else {
            throw SystemError(code: EEXIST, operation: "kevent \(fd)")
        }
        var entry = Entry(data: data, interest: interest)
        entry.isRegistered = true
        entry.isSocket = isSocket
        entries[Int(fd)] = entry
        do throws(SystemError) {
            try setFilters(fd)
        } catch {
            remove(fd, interest)
            throw error
        }
    }

    package func change(
        _ fd: Int32, _ interest: Poller.Interest, _ data: UInt64
    ) throws(SystemError) {
        entries[Int(fd)].interest = interest
        entries[Int(fd)].data = data
        try setFilters(fd)
    }

    package func remove(_ fd: Int32, _ interest: Poller.Interest) {
        deleteFilters(fd)
        // Fails where the descriptor was closed before, which took the filters out already.
        try? applyNow(fd)
        entries[Int(fd)] = Entry()
    }

    /// Adds the filters anew, so that the kernel looks at the descriptor's state again.
    private func setFilters(_ fd: Int32) throws(SystemError) {
        deleteFilters(fd)
        let entry = entries[Int(fd)]
        let told: KernelEvent.Flags = entry.interest.contains(.edge) ? [.add, .clear] : .add
        if entry.interest.contains(.read) { change(fd, .read, told) }
        if entry.interest.contains(.write) {
            change(fd, .write, told)
        } else if entry.isSocket {
            change(fd, .write, [.add, .clear])
        } else if !entry.interest.contains(.read) {
            // A pipe's other end: bytes are told and dropped, as they change.
            change(fd, .read, [.add, .clear])
        }
        entries[Int(fd)].isHungUp = false
        try applyNow(fd)
    }

    private func deleteFilters(_ fd: Int32) {
        if entries[Int(fd)].hasRead { change(fd, .read, .delete) }
        if entries[Int(fd)].hasWrite { change(fd, .write, .delete) }
    }

    private func change(_ fd: Int32, _ filter: KernelEvent.Filter, _ flags: KernelEvent.Flags) {
        switch filter {
        case .read: entries[Int(fd)].hasRead = flags.contains(.add)
        case .write: entries[Int(fd)].hasWrite = flags.contains(.add)
        }
        changes.append(
            KernelEvent(
                descriptor: fd, filter: filter, flags: flags, token: entries[Int(fd)].data))
    }

    /// Applies a descriptor's changes and looks at their receipts; takes no event that waits.
    private func applyNow(_ fd: Int32) throws(SystemError) {
        var own = changes.filter { $0.descriptor == fd }
        changes.removeAll { $0.descriptor == fd }
        guard !own.isEmpty else { return }
        for index in own.indices { own[index].flags.insert(.receipt) }
        var receipts = own
        let result: Result<Int, SystemError> = receipts.withUnsafeMutableBufferPointer { receipts in
            own.withUnsafeBufferPointer { own in
                do throws(SystemError) {
                    return .success(try queue.exchange(own, into: receipts, nanoseconds: 0))
                } catch {
                    return .failure(error)
                }
            }
        }
        let count = try result.get()
        for receipt in receipts[..<count] where receipt.data != 0 {
            // A filter that is gone already is what was wanted.
            if receipt.flags.contains(.delete) { continue }
            throw SystemError(code: Int32(receipt.data), operation: "kevent \(fd)")
        }
    }

    // MARK: - Waiting

    package func wait(nanoseconds: Int64?) throws(SystemError) -> Int {
        for event in found { entries[event.descriptor].found = -1 }
        found.removeAll(keepingCapacity: true)
        let result: Result<Int, SystemError> = changes.withUnsafeBufferPointer { changes in
            do throws(SystemError) {
                return .success(
                    try queue.exchange(changes, into: events, nanoseconds: nanoseconds))
            } catch {
                return .failure(error)
            }
        }
        changes.removeAll(keepingCapacity: true)
        for event in events[..<(try result.get())] where !event.flags.contains(.error) {
            note(event)
        }
        for event in found where entries[event.descriptor].interest.contains(.oneShot) {
            deleteFilters(Int32(event.descriptor))
        }
        return found.count
    }

    package func event(_ index: Int) -> (data: UInt64, readiness: Poller.Readiness) {
        (found[index].data, found[index].readiness)
    }

    /// Adds what an event says to what this wait found of its descriptor.
    private func note(_ event: KernelEvent) {
        let fd = Int(event.descriptor)
        guard fd < entries.count, entries[fd].data == event.token else { return }
        if event.flags.contains(.ended), event.filter == .write || !entries[fd].isSocket {
            entries[fd].isHungUp = true
        }
        var readiness = readiness(event, entries[fd])
        if entries[fd].isHungUp { readiness.insert(.hangUp) }
        guard !readiness.isEmpty else { return }
        if entries[fd].found < 0 {
            entries[fd].found = found.count
            found.append((fd, event.token, readiness))
        } else {
            found[entries[fd].found].readiness.formUnion(readiness)
        }
    }

    private func readiness(_ event: KernelEvent, _ entry: Entry) -> Poller.Readiness {
        var readiness: Poller.Readiness = []
        let isEnded = event.flags.contains(.ended)
        if isEnded, event.status != 0 { readiness.insert(.error) }
        switch event.filter {
        case .read where entry.interest.contains(.read):
            if isEnded, entry.isSocket { readiness.insert([.read, .readEnded]) }
            // A pipe whose other end was closed is told as a hang-up once it is empty.
            if !isEnded || event.data > 0 { readiness.insert(.read) }
        case .write where entry.interest.contains(.write): readiness.insert(.write)
        case .read, .write: break
        }
        return readiness
    }
}
