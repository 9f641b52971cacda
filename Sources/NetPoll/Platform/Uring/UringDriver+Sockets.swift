#if os(Linux)
    internal import CNetPoll
    internal import Glibc

    // What the loop asks for; it reaches the kernel when the loop waits.
    extension UringDriver {
        // MARK: - Listeners

        package func listen(
            on address: SocketAddress, _ options: ListenOptions, token: Token
        ) throws(SystemError) -> (SocketHandle, SocketAddress) {
            let (socket, bound) = try Socket.listen(on: address, options)
            adoptListener(socket, options, token: token)
            return (socket, bound)
        }

        package func adoptListener(
            _ socket: SocketHandle, _ options: ListenOptions, token: Token
        ) {
            sockets.open(socket.rawValue, token, options.isRated ? [.wanted, .polled] : .wanted)
            armAccept(socket.rawValue)
        }

        package func setAccepting(_ accepting: Bool, _ socket: SocketHandle, token: Token) {
            if accepting {
                sockets[socket.rawValue].flags.insert(.wanted)
                armAccept(socket.rawValue)
            } else {
                sockets[socket.rawValue].flags.remove(.wanted)
                disarm(socket.rawValue, .accept)
            }
        }

        package func shed(_ socket: SocketHandle) -> Bool { reserve.shed(socket.rawValue) }

        /// Accepts from the next wait on, unless it does, or must not yet.
        func armAccept(_ fd: Int32) {
            guard mayAccept(fd) else { return }
            guard !sockets[fd].flags.contains(.polled) else {
                awaitReadiness(fd, Int32(POLLIN))
                return
            }
            makeDue(.accept, fd)
        }

        private func mayAccept(_ fd: Int32) -> Bool {
            let flags = sockets[fd].flags
            return flags.contains(.wanted)
                && flags.isDisjoint(with: [.armed, .awaitsReadiness, .stashed])
        }

        func accepted(_ completion: Ring.Completion, _ id: RequestID, _ loop: EventLoop) {
            guard sockets.isLive(id) else {
                acceptedLate(completion, id, loop)
                return
            }
            let fd = id.fd
            if completion.result >= 0 {
                arrivals.append(Arrival(fd: completion.result, listener: id))
                if arrivals.count - firstArrival > loop.configuration.acceptsPerTurnMax,
                    sockets[fd].flags.isDisjoint(with: .stashed)
                {
                    // Not accepted faster than they are served; `stashed` says so.
                    sockets[fd].flags.insert(.stashed)
                    held.append(id)
                    disarm(fd, .accept)
                }
            }
            guard !completion.hasMore else { return }
            sockets[fd].flags.subtract([.armed, .cancelling])
            let code = -completion.result
            if code > 0, code != ECANCELED {
                acceptFailed(code, id, loop)
            } else {
                armAccept(fd)
            }
        }

        /// The kernel had accepted it before it learned that the listener is closed.
        private func acceptedLate(
            _ completion: Ring.Completion, _ id: RequestID, _ loop: EventLoop
        ) {
            if completion.result >= 0 {
                if closing[id] == nil {
                    loop.counters.staleEvents += 1
                    Glibc.close(completion.result)
                } else {
                    arrivals.append(Arrival(fd: completion.result, listener: id))
                }
            }
            if !completion.hasMore { closing[id]?.isArmed = false }
        }

        /// Ends the closed listeners for which nothing comes any more.
        func endListeners(on loop: EventLoop) {
            guard arrivals.isEmpty else { return }
            for (id, listener) in closing where !listener.isArmed {
                closing[id] = nil
                loop.acceptsEnded(listener.token)
            }
        }

        /// The listener that is open, or was until all of its arrivals are reported.
        private func listener(_ id: RequestID, _ loop: EventLoop) -> Token? {
            sockets.isLive(id) ? token(id.fd, loop) : closing[id]?.token
        }

        /// With descriptors exhausted the kernel fails at once, also where no connection waits: then
        /// nothing is reported, and accepting goes on when one does.
        private func acceptFailed(_ code: Int32, _ id: RequestID, _ loop: EventLoop) {
            let fd = id.fd
            if Socket.isReadable(fd) { loop.acceptFailed(code, on: token(fd, loop)) }
            guard sockets.isLive(id), sockets[fd].flags.contains(.wanted),
                sockets[fd].flags.isDisjoint(with: .awaitsReadiness)
            else { return }
            awaitReadiness(fd, Int32(POLLIN))
        }

        /// Reports accepted connections, as many as a turn may have.
        func deliverArrivals(to loop: EventLoop) {
            var budget = loop.configuration.acceptsPerTurnMax
            while firstArrival < arrivals.count, budget > 0 {
                let arrival = arrivals[firstArrival]
                firstArrival += 1
                budget -= 1
                guard let listener = listener(arrival.listener, loop),
                    let address = Socket.peerAddress(arrival.fd)
                else {
                    // The loop has ended, or the peer has reset the connection already.
                    Glibc.close(arrival.fd)
                    continue
                }
                loop.accepted(SocketHandle(rawValue: arrival.fd), from: address, on: listener)
            }
            if firstArrival == arrivals.count {
                arrivals.removeAll(keepingCapacity: true)
                firstArrival = 0
                resumeAccepting()
            }
        }

        /// All listeners that were held, whosever arrival was the last and whatever became of it.
        private func resumeAccepting() {
            for listener in held where sockets.isLive(listener) {
                sockets[listener.fd].flags.remove(.stashed)
                armAccept(listener.fd)
            }
            held.removeAll(keepingCapacity: true)
        }

        // MARK: - Connections

        package func connect(
            to address: SocketAddress, _ options: ConnectOptions, token: Token
        ) throws(SystemError) -> SocketHandle {
            let socket = try Socket.connect(to: address, options)
            sockets.open(socket.rawValue, token, [])
            // Writability tells the end, and at once where connect(2) was done at once.
            awaitReadiness(socket.rawValue, Int32(POLLOUT))
            return socket
        }

        /// Until the next wait the handler may say that it wants descriptors, which a multishot receive
        /// would drop.
        package func adopt(_ socket: SocketHandle, token: Token) {
            sockets.open(socket.rawValue, token, .wanted)
            armReceive(socket.rawValue)
        }

        package func setReceiving(_ receiving: Bool, _ socket: SocketHandle, token: Token) {
            let fd = socket.rawValue
            if receiving {
                sockets[fd].flags.insert(.wanted)
                if sockets[fd].flags.contains(.stashed) {
                    resumed.append(RequestID(.receive, fd, sockets[fd].generation))
                }
                armReceive(fd)
            } else {
                sockets[fd].flags.remove(.wanted)
                disarm(fd, .receive)
                awaitBreakage(fd)
            }
        }

        /// Receives from the next wait on, unless it does; while receiving is paused only a break is
        /// awaited. What is stashed is delivered first, so that no more is kept for a handler that
        /// pauses again and again.
        func armReceive(_ fd: Int32) {
            guard sockets[fd].flags.contains(.wanted) else {
                awaitBreakage(fd)
                return
            }
            if mayReceive(fd) { makeDue(.receive, fd) }
        }

        private func mayReceive(_ fd: Int32) -> Bool {
            let flags = sockets[fd].flags
            return flags.contains(.wanted) && flags.isDisjoint(with: [.armed, .ended, .stashed])
        }

        func awaitBreakage(_ fd: Int32) {
            let entry = sockets[fd]
            guard entry.flags.isDisjoint(with: [.armed, .awaitsBreakage]) else { return }
            sockets[fd].flags.insert(.awaitsBreakage)
            // Errors and hang-ups are reported whatever is asked for (poll(2)).
            ring.poll(fd, 0, userData: RequestID(.breakage, fd, entry.generation).rawValue)
        }

        package func send(
            _ socket: SocketHandle, _ segments: UnsafeBufferPointer<Segment>, token: Token
        ) -> SendOutcome {
            var offered = 0
            for segment in segments { offered += segment.count }
            let sent = Socket.send(socket.rawValue, segments)
            return outcome(sent, of: offered, socket)
        }

        package func sendFile(
            _ socket: SocketHandle, _ descriptor: Int32, offset: Int, count: Int, token: Token
        ) -> SendOutcome {
            let sent = Socket.sendFile(socket.rawValue, descriptor, offset: offset, count: count)
            return outcome(sent, of: count, socket)
        }

        func outcome(_ sent: Int, of offered: Int, _ socket: SocketHandle) -> SendOutcome {
            guard sent >= 0 else { return .failed(Int32(-sent)) }
            if sent < offered, sockets[socket.rawValue].flags.isDisjoint(with: .awaitsReadiness) {
                awaitReadiness(socket.rawValue, Int32(POLLOUT))
            }
            return .sent(sent)
        }

        package func shutdownSend(_ socket: SocketHandle) {
            // Fails only where the connection is already broken, which receiving will tell.
            _ = shutdown(socket.rawValue, Int32(SHUT_WR))
        }

        package func closeListener(_ socket: SocketHandle, token: Token) -> Bool {
            let fd = socket.rawValue
            let id = RequestID(.accept, fd, sockets[fd].generation)
            // The kernel goes on accepting until it learns of this.
            let isArmed = sockets[fd].flags.contains(.armed)
            let hasMore = isArmed || arrivals[firstArrival...].contains { $0.listener == id }
            if hasMore { closing[id] = ClosingListener(token: token, isArmed: isArmed) }
            close(socket, reset: false)
            // So that the address is free when this returns.
            submit()
            return !hasMore
        }

        /// The kernel's requests keep the socket alive until they are cancelled, which is submitted
        /// with the next wait; the descriptor's number is free at once, and its generation over. A poll
        /// that is not submitted yet may still find another file there, and takes nothing of it.
        package func close(_ socket: SocketHandle, reset: Bool) {
            let fd = socket.rawValue
            if reset { Socket.resetOnClose(fd) }
            if sockets.isOpen(fd) {
                let entry = sockets[fd]
                let isListener = Token.kind(ofPlace: entry.place) == .listener
                disarm(fd, isListener ? .accept : .receive)
                if entry.flags.contains(.awaitsReadiness) { cancel(.readiness, fd) }
                if entry.flags.contains(.awaitsBreakage) { cancel(.breakage, fd) }
                if entry.flags.contains(.stashed) { stashes[fd] = nil }
                sockets.close(fd)
            }
            Glibc.close(fd)
        }

        // MARK: - Requests

        private func makeDue(_ purpose: RequestID.Purpose, _ fd: Int32) {
            guard !sockets[fd].flags.contains(.due) else { return }
            sockets[fd].flags.insert(.due)
            due.append(RequestID(purpose, fd, sockets[fd].generation))
        }

        /// Asks for what is due and still wanted, of descriptors that are still open.
        func requestDue() {
            for id in due where sockets.isLive(id) {
                let fd = id.fd
                sockets[fd].flags.remove(.due)
                if id.purpose == .accept {
                    guard mayAccept(fd) else { continue }
                    ring.accept(fd, userData: id.rawValue)
                } else {
                    guard mayReceive(fd) else { continue }
                    if sockets[fd].flags.contains(.polled) {
                        ring.poll(fd, Int32(POLLIN), userData: id.rawValue)
                    } else {
                        ring.receive(fd, userData: id.rawValue)
                    }
                }
                sockets[fd].flags.insert(.armed)
            }
            due.removeAll(keepingCapacity: due.capacity <= 4_096)
        }

        func disarm(_ fd: Int32, _ purpose: RequestID.Purpose) {
            let flags = sockets[fd].flags
            guard flags.contains(.armed), !flags.contains(.cancelling) else { return }
            sockets[fd].flags.insert(.cancelling)
            cancel(purpose, fd)
        }

        private func awaitReadiness(_ fd: Int32, _ events: Int32) {
            sockets[fd].flags.insert(.awaitsReadiness)
            ring.poll(
                fd, events,
                userData: RequestID(.readiness, fd, sockets[fd].generation).rawValue)
        }

        private func cancel(_ purpose: RequestID.Purpose, _ fd: Int32) {
            ring.cancel(
                RequestID(purpose, fd, sockets[fd].generation).rawValue,
                userData: Self.cancellation)
        }
    }
#endif
