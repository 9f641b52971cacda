/// Watches descriptors of others: pipes, an eventfd, a library's socket.
///
/// It is the level below ``EventLoop``, for whoever reads and writes for himself. A poller has no
/// thread: whoever calls ``wait(for:_:)`` is told what is ready.
///
///     let poller = try Poller()
///     let input = try poller.register(0, .read)
///     try poller.wait(for: .seconds(1)) { event in
///         if event.registration == input { … }
///     }
///
/// Or with a callback for each descriptor:
///
///     let watch = try poller.start(0, [.read, .oneShot]) { watch, readiness in
///         // Read, perhaps on another thread; then be told again.
///         watch.resume()
///     }
///
/// A descriptor is deregistered before it is closed. Events that were on their way for an ended
/// registration are dropped, also where the number was registered anew meanwhile.
///
/// Not `Sendable`: used by one thread, but for ``waker``.
public final class Poller {
    private struct Slot {
        var generation: UInt32 = 1
        var fd: Int32 = -1
        var interest: Interest = []
        var watch: Watch?
        var nextFree = -1
    }

    /// Ends a wait of this poller; any thread may call it.
    public struct Waking: Sendable {
        let waker: any Waker

        public func wake() { waker.wake() }
    }

    private let queue: any ReadinessQueue
    private var slots: [Slot] = []
    private var firstFree = -1
    private var isWaiting = false

    /// How many descriptors are registered.
    public private(set) var count = 0

    /// Events dropped because their registration had ended.
    public private(set) var staleEvents = 0

    /// Makes a poller on the system's readiness interface: epoll(7), or kqueue(2) on Darwin.
    ///
    /// - Throws: ``SystemError`` where descriptors or memory are exhausted.
    public convenience init() throws(SystemError) {
        self.init(queue: try Platform.makeReadinessQueue())
    }

    package init(queue: any ReadinessQueue) {
        self.queue = queue
    }

    /// Ends this poller's wait from another thread.
    public var waker: Waking { Waking(waker: queue.waker) }

    /// Watches `fd`, which must stay open until it is deregistered.
    ///
    /// - Throws: ``SystemError``: EEXIST where it is registered already, EBADF where it is closed,
    ///   EPERM for a plain file, which epoll cannot watch.
    @discardableResult
    public func register(_ fd: Int32, _ interest: Interest) throws(SystemError) -> Registration {
        let slot = takeSlot()
        let registration = Registration(slot: slot, generation: slots[slot].generation)
        do {
            try queue.add(fd, interest, registration.rawValue)
        } catch {
            giveUp(slot)
            throw error
        }
        slots[slot].fd = fd
        slots[slot].interest = interest
        count += 1
        return registration
    }

    /// Waits for something else from now on; arms a ``Interest/oneShot`` registration again.
    ///
    /// - Throws: ``SystemError``: EBADF where the registration ended.
    public func modify(
        _ registration: Registration, _ interest: Interest
    ) throws(SystemError) {
        guard let slot = slot(of: registration) else {
            throw SystemError(code: Platform.Errno.badDescriptor, operation: "modify")
        }
        try queue.change(slots[slot].fd, interest, registration.rawValue)
        slots[slot].interest = interest
    }

    /// Ends a registration; no event of it is told any more, not even one found already.
    ///
    /// - Returns: Whether it had not ended before.
    @discardableResult
    public func deregister(_ registration: Registration) -> Bool {
        guard let slot = slot(of: registration) else { return false }
        queue.remove(slots[slot].fd, slots[slot].interest)
        giveUp(slot)
        count -= 1
        return true
    }

    /// Waits until something is ready, ``waker`` is used, or `duration` passed (`nil`: no limit;
    /// zero: not at all), and calls `body` for each event of a registration without a callback and
    /// every ``Watch``'s callback.
    ///
    /// - Returns: How many events were told.
    @discardableResult
    public func wait(
        for duration: Duration? = nil, _ body: (Event) -> Void = { _ in }
    ) throws(SystemError) -> Int {
        precondition(!isWaiting, "a poller waits within one of its own callbacks")
        isWaiting = true
        defer { isWaiting = false }
        let found = try queue.wait(nanoseconds: duration.map { max(0, $0.inNanoseconds) })
        var told = 0
        for index in 0..<found {
            let (data, readiness) = queue.event(index)
            let registration = Registration(rawValue: data)
            guard let slot = slot(of: registration) else {
                staleEvents += 1
                continue
            }
            told += 1
            if let watch = slots[slot].watch {
                watch.callback(watch, readiness)
            } else {
                body(Event(registration: registration, readiness: readiness))
            }
        }
        return told
    }

    func setWatch(_ watch: Watch?, _ registration: Registration) {
        guard let slot = slot(of: registration) else { return }
        slots[slot].watch = watch
    }

    private func slot(of registration: Registration) -> Int? {
        let slot = registration.slot
        guard slot < slots.count, slots[slot].generation == registration.generation else {
            return nil
        }
        return slot
    }

    private func takeSlot() -> Int {
        guard firstFree >= 0 else {
            slots.append(Slot())
            return slots.count - 1
        }
        let slot = firstFree
        firstFree = slots[slot].nextFree
        return slot
    }

    private func giveUp(_ slot: Int) {
        slots[slot].generation &+= 1
        slots[slot].watch = nil
        slots[slot].nextFree = firstFree
        firstFree = slot
    }
}
