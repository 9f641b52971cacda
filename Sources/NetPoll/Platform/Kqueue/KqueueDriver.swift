#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// kqueue(2) behind the completion-shaped ``Driver``.
///
/// Changes of interest wait for the call that waits for events, and are applied by it. Receiving is
/// level-triggered: once, and again while a receive fills the buffer. Room to send is asked for after
/// a short send. While receiving is paused an edge-triggered write filter stays, which tells a reset.
///
/// It has run on a simulated kernel queue only, not yet on Darwin.
package final class KqueueDriver: Driver {
    private struct Entry {
        var token = Token(rawValue: 0)
        var isReceiving = false
        var awaitsRoom = false
        /// The write filter is with the kernel.
        var isWatchingWrite = false
        /// Descriptors may arrive.
        var receivesDescriptors = false
    }

    private static var eventsPerWaitMax: Int { 1_024 }

    package let waker: any Waker
    private let queue: any KernelQueue
    private let events: UnsafeMutableBufferPointer<KernelEvent>
    private var eventCount = 0
    private var changes: [KernelEvent] = []
    private var entries: [Entry] = []
    private var reserve = ReserveDescriptor()
    private let datagramBatch = DatagramBatch()

    package init(queue: any KernelQueue) {
        self.queue = queue
        waker = queue.waker
        events = .allocate(capacity: Self.eventsPerWaitMax)
    }

    deinit { events.deallocate() }

    package func now() -> Instant { Platform.monotonicNow }

    package func wait(until deadline: Instant?) throws(SystemError) {
        try exchange(nanoseconds: deadline.map { max(0, ($0 - now()).inNanoseconds) })
    }

    private func exchange(nanoseconds: Int64?) throws(SystemError) {
        eventCount = 0
        do {
            let result: Result<Int, SystemError> = changes.withUnsafeBufferPointer { changes in
                do throws(SystemError) {
                    return .success(
                        try queue.exchange(changes, into: events, nanoseconds: nanoseconds))
                } catch {
                    return .failure(error)
                }
            }
            changes.removeAll(keepingCapacity: true)
            eventCount = try result.get()
        }
    }

    package func deliver(to loop: EventLoop) {
        let count = eventCount
        eventCount = 0
        for index in 0..<count {
            let event = events[index]
            let token = Token(rawValue: event.token)
            guard let fd = loop.descriptor(of: token), fd == event.descriptor else {
                loop.counters.staleEvents += 1
                continue
            }
            if event.flags.contains(.error) {
                changeFailed(event, token, loop)
                continue
            }
            switch (token.kind, event.filter) {
            case (.listener, _): accept(fd, token, loop)
            case (.attempt, _): finishConnect(fd, token, loop)
            case (.connection, .read): receive(fd, token, loop)
            case (.datagram, .read):
                datagramBatch.receiveAll(fd, token, loop) { entries[Int(fd)].isReceiving }
            case (.connection, .write), (.datagram, .write): canSend(event, token, loop)
            }
        }
    }

    /// A filter could not be added for want of memory; one that is gone already is no matter.
    private func changeFailed(_ event: KernelEvent, _ token: Token, _ loop: EventLoop) {
        let (fd, code) = (event.descriptor, Int32(event.data))
        guard Platform.isExhaustion(code) else { return }
        switch (token.kind, event.filter) {
        case (.connection, _): loop.failed(code, on: token)
        case (.attempt, _): loop.connectFailed(code, on: token)
        case (.listener, _):
            // Sheds who waits or pauses; where it goes on accepting the filter is asked for again.
            loop.acceptFailed(code, on: token)
            guard loop.descriptor(of: token) == fd, entries[Int(fd)].isReceiving else { return }
            change(fd, .read, .add)
        case (.datagram, .read):
            entries[Int(fd)].isReceiving = false
            loop.failed(code, on: token)
        case (.datagram, .write):
            entries[Int(fd)].isWatchingWrite = false
            guard entries[Int(fd)].awaitsRoom else { return loop.failed(code, on: token) }
            entries[Int(fd)].awaitsRoom = false
            loop.sendable(token)
        }
    }

    private func receive(_ fd: Int32, _ token: Token, _ loop: EventLoop) {
        let buffer = loop.receiveBuffer
        var reads = 0
        while reads < loop.configuration.readsPerConnectionMax, entries[Int(fd)].isReceiving {
            let count =
                entries[Int(fd)].receivesDescriptors
                ? Socket.receiveWithDescriptors(fd, token, loop)
                : recv(fd, buffer.baseAddress, buffer.count, 0)
            reads += 1
            if count > 0 {
                let bytes = UnsafeMutableRawBufferPointer(rebasing: buffer[..<count])
                guard loop.received(bytes, on: token), count == buffer.count else { return }
            } else if count == 0 {
                loop.receivedEnd(token)
                return
            } else {
                let code = errno
                if code == EINTR { continue }
                if code != EAGAIN { loop.failed(code, on: token) }
                return
            }
        }
    }

    private func canSend(_ event: KernelEvent, _ token: Token, _ loop: EventLoop) {
        let fd = event.descriptor
        if event.flags.contains(.ended), !entries[Int(fd)].isReceiving {
            // Both directions may have ended without an error, by our own end of file too.
            let code = Socket.pendingError(fd)
            if code != 0 {
                loop.failed(code, on: token)
                // A datagram socket lives on: added anew, the filter tells the next error, too.
                if token.kind == .datagram, loop.descriptor(of: token) == fd {
                    entries[Int(fd)].isWatchingWrite = false
                    watchWrite(fd)
                }
                return
            }
        }
        guard entries[Int(fd)].awaitsRoom else { return }
        entries[Int(fd)].awaitsRoom = false
        watchWrite(fd)
        loop.sendable(token)
    }

    // MARK: - Listeners

    package func listen(
        on address: SocketAddress, _ options: ListenOptions, token: Token
    ) throws(SystemError) -> (SocketHandle, SocketAddress) {
        let (socket, bound) = try Socket.listen(on: address, options)
        adoptListener(socket, options, token: token)
        return (socket, bound)
    }

    package func adoptListener(_ socket: SocketHandle, _ options: ListenOptions, token: Token) {
        open(socket.rawValue, token)
        setAccepting(true, socket, token: token)
    }

    package func setAccepting(_ accepting: Bool, _ socket: SocketHandle, token: Token) {
        watchRead(socket.rawValue, accepting)
    }

    package func shed(_ socket: SocketHandle) -> Bool { reserve.shed(socket.rawValue) }

    private func accept(_ listening: Int32, _ token: Token, _ loop: EventLoop) {
        loop.acceptWaiting(listening, token) { entries[Int(listening)].isReceiving }
    }

    // MARK: - Connections

    package func connect(
        to address: SocketAddress, _ options: ConnectOptions, token: Token
    ) throws(SystemError) -> SocketHandle {
        let socket = try Socket.connect(to: address, options)
        open(socket.rawValue, token)
        entries[Int(socket.rawValue)].awaitsRoom = true
        watchWrite(socket.rawValue)
        return socket
    }

    private func finishConnect(_ fd: Int32, _ token: Token, _ loop: EventLoop) {
        guard entries[Int(fd)].awaitsRoom else { return }
        entries[Int(fd)].awaitsRoom = false
        loop.finishConnect(fd, token)
    }

    package func adopt(_ socket: SocketHandle, token: Token) {
        open(socket.rawValue, token)
        watchRead(socket.rawValue, true)
    }

    package func setReceiving(_ receiving: Bool, _ socket: SocketHandle, token: Token) {
        watchRead(socket.rawValue, receiving)
        watchWrite(socket.rawValue)
    }

    package func send(
        _ socket: SocketHandle, _ segments: UnsafeBufferPointer<Segment>, token: Token
    ) -> SendOutcome {
        var offered = 0
        for segment in segments { offered += segment.count }
        return outcome(Socket.send(socket.rawValue, segments), of: offered, socket)
    }

    package func sendFile(
        _ socket: SocketHandle, _ descriptor: Int32, offset: Int, count: Int, token: Token
    ) -> SendOutcome {
        let sent = Socket.sendFile(socket.rawValue, descriptor, offset: offset, count: count)
        return outcome(sent, of: count, socket)
    }

    package func sendDescriptor(
        _ socket: SocketHandle, _ descriptor: Int32, mark: UInt8, token: Token
    ) -> SendOutcome {
        outcome(Socket.sendDescriptor(socket.rawValue, descriptor, mark: mark), of: 1, socket)
    }

    package func receiveDescriptors(_ socket: SocketHandle) {
        entries[Int(socket.rawValue)].receivesDescriptors = true
    }

    private func outcome(_ sent: Int, of offered: Int, _ socket: SocketHandle) -> SendOutcome {
        guard sent >= 0 else { return .failed(Int32(-sent)) }
        if sent < offered {
            entries[Int(socket.rawValue)].awaitsRoom = true
            // Added anew where it is there: room may have come since it was told last.
            entries[Int(socket.rawValue)].isWatchingWrite = false
            watchWrite(socket.rawValue)
        }
        return .sent(sent)
    }

    package func shutdownSend(_ socket: SocketHandle) {
        // Fails only where the connection is already broken, which receiving will tell.
        _ = shutdown(socket.rawValue, Int32(SHUT_WR))
    }

    package func close(_ socket: SocketHandle, reset: Bool) {
        let fd = socket.rawValue
        if reset { Socket.resetOnClose(fd) }
        // Closing ends the filters; changes that wait would find another descriptor's number.
        changes.removeAll { $0.descriptor == fd }
        if Int(fd) < entries.count { entries[Int(fd)] = Entry() }
        Socket.close(fd)
    }

    // MARK: - Datagrams

    package func openDatagram(
        on address: SocketAddress, _ configuration: DatagramSocket.Configuration, token: Token
    ) throws(SystemError) -> (SocketHandle, SocketAddress) {
        let (socket, bound) = try Socket.openDatagram(on: address, configuration)
        open(socket.rawValue, token)
        watchRead(socket.rawValue, true)
        return (socket, bound)
    }

    package func sendDatagrams(
        _ socket: SocketHandle, _ datagrams: UnsafeBufferPointer<OutgoingDatagram>, token: Token
    ) -> SendOutcome {
        let sent = datagramBatch.send(socket.rawValue, datagrams)
        return outcome(sent, of: datagrams.roomIsTold ? datagrams.count : sent, socket)
    }

    // MARK: - Filters

    private func open(_ fd: Int32, _ token: Token) {
        while entries.count <= Int(fd) {
            entries.append(contentsOf: repeatElement(Entry(), count: max(64, entries.count)))
        }
        // A connected socket may still have its attempt's write filter, under the old token.
        if entries[Int(fd)].isWatchingWrite { change(fd, .write, .delete) }
        entries[Int(fd)] = Entry(token: token)
    }

    private func watchRead(_ fd: Int32, _ wanted: Bool) {
        guard entries[Int(fd)].isReceiving != wanted else { return }
        entries[Int(fd)].isReceiving = wanted
        change(fd, .read, wanted ? .add : .delete)
    }

    /// Keeps the write filter while room is awaited, and while only it would tell a reset.
    private func watchWrite(_ fd: Int32) {
        let entry = entries[Int(fd)]
        let wanted = entry.awaitsRoom || !entry.isReceiving
        guard entry.isWatchingWrite != wanted else { return }
        entries[Int(fd)].isWatchingWrite = wanted
        change(fd, .write, wanted ? [.add, .clear] : .delete)
    }

    private func change(_ fd: Int32, _ filter: KernelEvent.Filter, _ flags: KernelEvent.Flags) {
        changes.append(
            KernelEvent(
                descriptor: fd, filter: filter, flags: flags,
                token: entries[Int(fd)].token.rawValue))
    }
}
