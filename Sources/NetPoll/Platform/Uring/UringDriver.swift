#if os(Linux)
    internal import CNetPoll
    internal import Glibc

    /// io_uring(7) behind the completion-shaped ``Driver``; Linux 6.1 or later.
    ///
    /// One multishot accept per listener and one multishot receive per connection stay with the
    /// kernel; it receives into buffers it takes from ``ProvidedBuffers``, which are given back as
    /// soon as the handler returned. All requests of a turn are submitted by the one call that waits
    /// for the next turn's events.
    ///
    /// Sends are plain system calls: bytes need to live for the call only and its outcome is known at
    /// once. Queued sends measured the same where messages are pipelined and 6 to 9 % less CPU per
    /// message where 200 connections play ping-pong, which is not worth keeping every turn's bytes
    /// until their completions.
    package final class UringDriver: Driver {
        /// Sizes of the ring and its buffers.
        package struct Settings: Sendable {
            /// Requests per submission; a turn that has more submits more than once.
            package var entries = 1_024
            /// Completions that fit; beyond them the kernel keeps them and ends multishot requests,
            /// which are then made again.
            package var completions = 8_192
            /// Buffers of the kernel to receive into, a power of two.
            package var buffers = 256
            package var bufferBytes = 16 << 10

            package init() {}
        }

        /// What arrived for a connection after its receiving was paused: the kernel had taken it from
        /// the socket already. No more than the provided buffers hold, as the receive is cancelled
        /// and made again only when all of it is delivered.
        struct Stash {
            var bytes: [UInt8] = []
            /// Where the bytes begin that are not delivered yet.
            var first = 0
            var isEnded = false
        }

        /// A connection that was accepted and not yet reported.
        struct Arrival {
            let fd: Int32
            let listener: RequestID
        }

        /// A listener that is closed and for which connections may come yet.
        struct ClosingListener {
            let token: Token
            /// Whether the kernel has not yet ended its accepting.
            var isArmed: Bool
        }

        private static let wakeup = RequestID(.wakeup, 0, 0)
        static let cancellation = RequestID(.cancellation, 0, 0).rawValue

        package let waker: any Waker
        let ring: Ring
        private let eventDescriptor: EventDescriptor
        private let buffers: ProvidedBuffers
        // All loop-owned; a handler called from here comes back through the driver's methods, which
        // use these in short steps and hold none of them across a call of the loop.
        @exclusivity(unchecked) var sockets = UringSockets()
        @exclusivity(unchecked) var stashes: [Int32: Stash] = [:]
        @exclusivity(unchecked) var resumed: [RequestID] = []
        /// Receives and accepts to be asked for by the next wait. Not before: until the kernel has them
        /// they name a number, which is another file's where their descriptor is closed meanwhile.
        @exclusivity(unchecked) var due: [RequestID] = []
        @exclusivity(unchecked) var arrivals: [Arrival] = []
        @exclusivity(unchecked) var firstArrival = 0
        /// Listeners that accept again once all arrivals are reported.
        @exclusivity(unchecked) var held: [RequestID] = []
        @exclusivity(unchecked) var closing: [RequestID: ClosingListener] = [:]
        @exclusivity(unchecked) var reserve = ReserveDescriptor()
        let datagramBatch = DatagramBatch()
        /// Receives that ended because all buffers were taken, and were made again.
        @exclusivity(unchecked) package private(set) var exhaustions = 0
        /// Calls of io_uring_enter(2), and requests that left with them or will with the next; modulo
        /// 2^32.
        package var batches: (enters: Int, requests: Int) { (ring.enters, ring.submissions) }
        /// Bytes kept for connections whose receiving is paused; O(such connections).
        package var stashedBytes: Int {
            stashes.values.reduce(0) { $0 + $1.bytes.count - $1.first }
        }

        package init(settings: Settings = .init()) throws(SystemError) {
            ring = try Ring(entries: settings.entries, completions: settings.completions)
            eventDescriptor = try EventDescriptor()
            waker = eventDescriptor
            buffers = try ProvidedBuffers(
                count: settings.buffers, bufferBytes: settings.bufferBytes, for: ring)
            awaitWakeup()
        }

        deinit { closeUnreported() }

        package func closeUnreported() {
            for arrival in arrivals[firstArrival...] { Glibc.close(arrival.fd) }
            arrivals = []
            firstArrival = 0
            while ring.ready > 0 {
                let completion = ring.take()
                let id = RequestID(rawValue: completion.user_data)
                if id.purpose == .accept, completion.result >= 0 { Glibc.close(completion.result) }
            }
        }

        package func now() -> Instant { Platform.monotonicNow }

        package func wait(until deadline: Instant?) throws(SystemError) {
            if !due.isEmpty { requestDue() }
            var nanoseconds: Int64 = -1
            if firstArrival < arrivals.count || !resumed.isEmpty {
                nanoseconds = 0
            } else if let deadline {
                nanoseconds = max(0, (deadline - now()).inNanoseconds)
            }
            try ring.enter(waits: true, nanoseconds: nanoseconds)
        }

        package func submit() {
            // Fails only on a thread that is not the loop's, when the loop never ran on its own;
            // then closing the ring ends its requests.
            try? ring.settle()
        }

        package func deliver(to loop: EventLoop) {
            if !resumed.isEmpty { deliverStashes(to: loop) }
            // Only what was there: requests made meanwhile complete in the next turn.
            var left = ring.ready
            while left > 0 {
                left -= 1
                let completion = ring.take()
                let id = RequestID(rawValue: completion.user_data)
                switch id.purpose {
                case .receive: received(completion, id, loop)
                case .accept: accepted(completion, id, loop)
                case .readiness: becameReady(id, loop)
                case .breakage: broke(completion, id, loop)
                case .wakeup: if !completion.hasMore { awaitWakeup() }
                case .cancellation, nil: break
                }
            }
            if firstArrival < arrivals.count { deliverArrivals(to: loop) }
            if !closing.isEmpty { endListeners(on: loop) }
        }

        /// The registration whose descriptor this is.
        func token(_ fd: Int32, _ loop: EventLoop) -> Token { loop.token(at: sockets[fd].place) }

        /// Each write to the eventfd is an event of its own, so its counter is never read.
        private func awaitWakeup() {
            ring.poll(
                eventDescriptor.descriptor, Int32(POLLIN), repeats: true,
                userData: Self.wakeup.rawValue)
        }

        // MARK: - Receiving

        private func received(_ completion: Ring.Completion, _ id: RequestID, _ loop: EventLoop) {
            let fd = id.fd
            if completion.hasBuffer {
                if completion.result > 0 {
                    let bytes = buffers.bytes(completion.buffer, Int(completion.result))
                    deliver(bytes, id, loop)
                }
                buffers.giveBack(completion.buffer)
            }
            guard !completion.hasMore, sockets.isLive(id) else { return }
            sockets[fd].flags.subtract([.armed, .cancelling])
            if completion.result > 0, sockets[fd].flags.contains(.polled), !completion.hasBuffer {
                becameReadable(completion.result, id, loop)
                return
            }
            switch -completion.result {
            case 0:
                sockets[fd].flags.insert(.ended)
                deliverEnd(id, loop)
            case ENOBUFS:
                exhaustions += 1
                armReceive(fd)
            case ECANCELED, EINTR, EAGAIN, ..<0:
                armReceive(fd)
            default:
                loop.failed(-completion.result, on: token(fd, loop))
            }
        }

        @inline(__always)
        private func deliver(
            _ bytes: UnsafeMutableRawBufferPointer, _ id: RequestID, _ loop: EventLoop
        ) {
            guard sockets.isLive(id) else {
                loop.counters.staleEvents += 1
                return
            }
            let entry = sockets[id.fd]
            if entry.flags.isDisjoint(with: .stashed), entry.flags.contains(.wanted) {
                _ = loop.received(bytes, on: loop.token(at: entry.place))
            } else {
                sockets[id.fd].flags.insert(.stashed)
                stashes[id.fd, default: Stash()].bytes.append(contentsOf: bytes)
            }
        }

        func deliverEnd(_ id: RequestID, _ loop: EventLoop) {
            let entry = sockets[id.fd]
            if entry.flags.isDisjoint(with: .stashed), entry.flags.contains(.wanted) {
                loop.receivedEnd(loop.token(at: entry.place))
            } else {
                sockets[id.fd].flags.insert(.stashed)
                stashes[id.fd, default: Stash()].isEnded = true
                awaitBreakage(id.fd)
            }
        }

        /// Delivers what was kept for connections that receive again.
        private func deliverStashes(to loop: EventLoop) {
            let ids = resumed
            resumed = []
            for id in ids {
                guard sockets.isLive(id), sockets[id.fd].flags.contains([.wanted, .stashed]),
                    var stash = stashes.removeValue(forKey: id.fd)
                else { continue }
                deliverSlices(of: &stash, id, loop)
                guard sockets.isLive(id) else { continue }
                guard stash.first == stash.bytes.count else {
                    stashes[id.fd] = stash
                    continue
                }
                sockets[id.fd].flags.remove(.stashed)
                if stash.isEnded {
                    deliverEnd(id, loop)
                } else {
                    armReceive(id.fd)
                }
            }
        }

        /// A buffer's worth at a time, as if they came from the kernel: a handler may pause between
        /// any two.
        private func deliverSlices(of stash: inout Stash, _ id: RequestID, _ loop: EventLoop) {
            let token = token(id.fd, loop)
            var goesOn = true
            while goesOn, stash.first < stash.bytes.count, isWanted(id) {
                let end = min(stash.first + buffers.bufferBytes, stash.bytes.count)
                let slice = stash.first..<end
                stash.first = end
                goesOn = stash.bytes.withUnsafeMutableBytes { bytes in
                    loop.received(UnsafeMutableRawBufferPointer(rebasing: bytes[slice]), on: token)
                }
            }
        }

        // MARK: - Readiness

        private func becameReady(_ id: RequestID, _ loop: EventLoop) {
            guard sockets.isLive(id) else { return }
            sockets[id.fd].flags.remove(.awaitsReadiness)
            let token = token(id.fd, loop)
            switch token.kind {
            case .listener:
                if sockets[id.fd].flags.contains(.polled) { acceptPolled(id, loop) }
                if sockets.isLive(id) { armAccept(id.fd) }
            case .connection, .datagram: loop.sendable(token)
            case .attempt: loop.finishConnect(id.fd, token)
            }
        }

        private func broke(_ completion: Ring.Completion, _ id: RequestID, _ loop: EventLoop) {
            guard sockets.isLive(id) else { return }
            sockets[id.fd].flags.remove(.awaitsBreakage)
            if Token.kind(ofPlace: sockets[id.fd].place) == .datagram {
                loop.tellPendingError(id.fd, token(id.fd, loop))
                if sockets.isLive(id) { awaitBreakage(id.fd) }
                return
            }
            // A hang-up without an error is two ends of file, which receiving will tell.
            guard completion.result >= 0, completion.result & Int32(POLLERR) != 0 else { return }
            let code = Socket.pendingError(id.fd)
            loop.failed(code == 0 ? ECONNRESET : code, on: token(id.fd, loop))
        }
    }

    extension Ring.Completion {
        /// Whether its request goes on.
        @inline(__always)
        var hasMore: Bool { flags & UInt32(IORING_CQE_F_MORE) != 0 }

        @inline(__always)
        var hasBuffer: Bool { flags & UInt32(IORING_CQE_F_BUFFER) != 0 }

        @inline(__always)
        var buffer: UInt16 { UInt16(truncatingIfNeeded: flags >> 16) }
    }
#endif
