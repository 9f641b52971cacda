#if os(Linux)
    internal import CNetPoll
    internal import Glibc

    /// Level-triggered epoll(7) behind the completion-shaped ``Driver``.
    ///
    /// On readiness it receives into the loop's buffer and reports the bytes; it reads again only
    /// while a receive fills the buffer. Sends are tried at once; room is awaited only after a short
    /// one. Interest lives here, by descriptor, so that it changes with one system call or none.
    final class EpollDriver: Driver {
        struct Interest: OptionSet {
            let rawValue: UInt8
            static let receive = Interest(rawValue: 1 << 0)
            static let send = Interest(rawValue: 1 << 1)
            /// Registered with the kernel.
            static let registered = Interest(rawValue: 1 << 2)
            /// Descriptors may arrive.
            static let descriptors = Interest(rawValue: 1 << 3)
            /// Ended both ways while receiving is paused, which epoll tells whatever is asked for: told
            /// once more at most (EPOLLONESHOT).
            static let hungUp = Interest(rawValue: 1 << 4)
        }

        private static var eventsPerWaitMax: Int { 1_024 }
        private static var wakerToken: UInt64 { .max }

        let waker: any Waker
        private let epoll: Int32
        private let wakeup: EventDescriptor
        private let events: UnsafeMutablePointer<epoll_event>
        // Used for every event, on the loop's thread only, by accesses that call nothing.
        @exclusivity(unchecked) private var eventCount = 0
        @exclusivity(unchecked) var interests: [Interest] = []
        private var reserve = ReserveDescriptor()
        let datagramBatch = DatagramBatch()

        init() throws(SystemError) {
            epoll = epoll_create1(O_CLOEXEC)
            guard epoll >= 0 else { throw SystemError(code: errno, operation: "epoll_create1") }
            do {
                wakeup = try EventDescriptor()
            } catch {
                Glibc.close(epoll)
                throw error
            }
            waker = wakeup
            events = .allocate(capacity: Self.eventsPerWaitMax)
            var event = epoll_event(
                events: EPOLLIN.rawValue, data: epoll_data(u64: Self.wakerToken))
            guard epoll_ctl(epoll, EPOLL_CTL_ADD, wakeup.descriptor, &event) == 0 else {
                throw SystemError(code: errno, operation: "epoll_ctl")
            }
        }

        deinit {
            events.deallocate()
            Glibc.close(epoll)
        }

        func now() -> Instant { Platform.monotonicNow }

        func wait(until deadline: Instant?) throws(SystemError) {
            var milliseconds: Int32 = -1
            if let deadline {
                let left = max(0, (deadline - now()).inNanoseconds)
                // Rounded up, so that a timer is not waited for in a spin.
                milliseconds = Int32(clamping: (left + 999_999) / 1_000_000)
            }
            let count = epoll_wait(epoll, events, Int32(Self.eventsPerWaitMax), milliseconds)
            guard count >= 0 else {
                eventCount = 0
                if errno == EINTR { return }
                throw SystemError(code: errno, operation: "epoll_wait")
            }
            eventCount = Int(count)
        }

        func deliver(to loop: EventLoop) {
            let count = eventCount
            eventCount = 0
            for index in 0..<count {
                // Of many connections most lie outside the caches; their memory comes while others are served.
                if let token = token(index + 2, of: count) { loop.prefetch(token) }
                if let token = token(index + 1, of: count) { loop.prefetchHandler(token) }
                guard let token = token(index, of: count) else {
                    wakeup.drain()
                    continue
                }
                guard let fd = loop.descriptor(of: token) else {
                    loop.counters.staleEvents += 1
                    continue
                }
                switch token.kind {
                case .listener: accept(fd, token, loop)
                case .connection: deliver(events[index].events, fd, token, loop)
                case .attempt: loop.finishConnect(fd, token)
                case .datagram: datagrams(events[index].events, fd, token, loop)
                }
            }
        }

        /// What an event of the last wait is for; `nil` behind the last, and for the waker's.
        @inline(__always)
        private func token(_ index: Int, of count: Int) -> Token? {
            guard index < count, events[index].data.u64 != Self.wakerToken else { return nil }
            return Token(rawValue: events[index].data.u64)
        }

        private func deliver(_ ready: UInt32, _ fd: Int32, _ token: Token, _ loop: EventLoop) {
            if ready & EPOLLOUT.rawValue != 0 {
                setInterest(fd, token, interests[Int(fd)].subtracting(.send))
                loop.sendable(token)
            }
            if ready & EPOLLIN.rawValue != 0, isReceiving(fd, token, loop) {
                receive(fd, token, loop)
            } else if ready & EPOLLERR.rawValue != 0 {
                let code = Socket.pendingError(fd)
                loop.failed(code == 0 ? ECONNRESET : code, on: token)
            } else if ready & EPOLLHUP.rawValue != 0, loop.descriptor(of: token) == fd {
                if isReceiving(fd, token, loop) {
                    receive(fd, token, loop)
                } else {
                    // Not taken out, as to be put back takes memory, which may be short then.
                    setInterest(fd, token, interests[Int(fd)].union(.hungUp))
                }
            }
        }

        private func isReceiving(_ fd: Int32, _ token: Token, _ loop: EventLoop) -> Bool {
            loop.descriptor(of: token) == fd && interests[Int(fd)].contains(.receive)
        }

        private func receive(_ fd: Int32, _ token: Token, _ loop: EventLoop) {
            let buffer = loop.receiveBuffer
            var reads = 0
            while reads < loop.configuration.readsPerConnectionMax {
                let count =
                    interests[Int(fd)].contains(.descriptors)
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

        // MARK: - Listeners

        func listen(
            on address: SocketAddress, _ options: ListenOptions, token: Token
        ) throws(SystemError) -> (SocketHandle, SocketAddress) {
            let (socket, bound) = try Socket.listen(on: address, options)
            do {
                try adoptListener(socket, options, token: token)
            } catch {
                Glibc.close(socket.rawValue)
                throw error
            }
            return (socket, bound)
        }

        func adoptListener(
            _ socket: SocketHandle, _ options: ListenOptions, token: Token
        ) throws(SystemError) {
            try register(socket.rawValue, token, .receive)
        }

        func setAccepting(_ accepting: Bool, _ socket: SocketHandle, token: Token) {
            setReceiving(accepting, socket, token: token)
        }

        func closeListener(_ socket: SocketHandle, token: Token) -> Bool {
            // A duplicate that a successor has would keep it in the epoll set (epoll(7)), to be told for
            // ever of connections that wait for that one.
            var event = epoll_event()
            _ = epoll_ctl(epoll, EPOLL_CTL_DEL, socket.rawValue, &event)
            close(socket, reset: false)
            return true
        }

        private func accept(_ listening: Int32, _ token: Token, _ loop: EventLoop) {
            loop.acceptWaiting(listening, token) {
                interests[Int(listening)].contains(.receive)
            }
        }

        func shed(_ socket: SocketHandle) -> Bool { reserve.shed(socket.rawValue) }

        // MARK: - Connections

        func connect(
            to address: SocketAddress, _ options: ConnectOptions, token: Token
        ) throws(SystemError) -> SocketHandle {
            let socket = try Socket.connect(to: address, options)
            do {
                // Writability tells the end, and at once where connect(2) was done at once.
                try register(socket.rawValue, token, .send)
            } catch {
                Glibc.close(socket.rawValue)
                throw error
            }
            return socket
        }

        func adopt(_ socket: SocketHandle, token: Token) throws(SystemError) {
            try register(socket.rawValue, token, .receive)
        }

        func setReceiving(_ receiving: Bool, _ socket: SocketHandle, token: Token) {
            let interest = interests[Int(socket.rawValue)]
            setInterest(
                socket.rawValue, token,
                receiving
                    ? interest.union(.receive).subtracting(.hungUp)
                    : interest.subtracting(.receive))
        }

        func send(
            _ socket: SocketHandle, _ segments: UnsafeBufferPointer<Segment>, token: Token
        ) -> SendOutcome {
            var offered = 0
            for segment in segments { offered += segment.count }
            return outcome(Socket.send(socket.rawValue, segments), of: offered, socket, token)
        }

        func sendFile(
            _ socket: SocketHandle, _ descriptor: Int32, offset: Int, count: Int, token: Token
        ) -> SendOutcome {
            let sent = Socket.sendFile(socket.rawValue, descriptor, offset: offset, count: count)
            return outcome(sent, of: count, socket, token)
        }

        func sendDescriptor(
            _ socket: SocketHandle, _ descriptor: Int32, mark: UInt8, token: Token
        ) -> SendOutcome {
            let sent = Socket.sendDescriptor(socket.rawValue, descriptor, mark: mark)
            return outcome(sent, of: 1, socket, token)
        }

        func receiveDescriptors(_ socket: SocketHandle) {
            interests[Int(socket.rawValue)].insert(.descriptors)
        }

        /// What a send of `offered` bytes came to; where it was cut short, room is awaited.
        @inline(__always)
        func outcome(
            _ sent: Int, of offered: Int, _ socket: SocketHandle, _ token: Token
        ) -> SendOutcome {
            guard sent >= 0 else { return .failed(Int32(-sent)) }
            if sent < offered {
                let interest = interests[Int(socket.rawValue)]
                setInterest(socket.rawValue, token, interest.union(.send))
            }
            return .sent(sent)
        }

        func shutdownSend(_ socket: SocketHandle) {
            // Fails only where the connection is already broken, which receiving will tell.
            _ = shutdown(socket.rawValue, Int32(SHUT_WR))
        }

        func close(_ socket: SocketHandle, reset: Bool) {
            if reset { Socket.resetOnClose(socket.rawValue) }
            // Closing takes it out of the epoll set, for nobody has a duplicate (epoll(7)).
            if Int(socket.rawValue) < interests.count { interests[Int(socket.rawValue)] = [] }
            Glibc.close(socket.rawValue)
        }

        // MARK: - Interest

        func register(
            _ fd: Int32, _ token: Token, _ interest: Interest
        ) throws(SystemError) {
            while interests.count <= Int(fd) {
                interests.append(contentsOf: repeatElement([], count: max(64, interests.count)))
            }
            var event = Self.event(interest, token)
            // A connected socket is registered already, under its attempt's token.
            let isKnown = interests[Int(fd)].contains(.registered)
            guard epoll_ctl(epoll, isKnown ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event) == 0 else {
                throw SystemError(code: errno, operation: "epoll_ctl")
            }
            interests[Int(fd)] = interest.union(.registered)
        }

        func setInterest(_ fd: Int32, _ token: Token, _ interest: Interest) {
            guard interest != interests[Int(fd)] else { return }
            var event = Self.event(interest, token)
            // Takes no memory, and so cannot fail (epoll_ctl(2)).
            _ = epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &event)
            interests[Int(fd)] = interest
        }

        private static func event(_ interest: Interest, _ token: Token) -> epoll_event {
            var bits: UInt32 = 0
            if interest.contains(.receive) { bits |= EPOLLIN.rawValue }
            if interest.contains(.send) { bits |= EPOLLOUT.rawValue }
            if interest.contains(.hungUp) { bits |= EPOLLONESHOT.rawValue }
            return epoll_event(events: bits, data: epoll_data(u64: token.rawValue))
        }
    }
#endif
