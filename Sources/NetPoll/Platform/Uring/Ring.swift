#if os(Linux)
    internal import CNetPoll
    internal import Glibc

    /// An io_uring(7): submissions are written here and leave with the next ``enter(waits:deadline:)``.
    ///
    /// Used by one thread, the first that enters; it may be made by another.
    final class Ring {
        /// A completion.
        typealias Completion = cnetpoll_completion

        // A pointer, so that the inline functions of the shim work in place.
        private let ring: UnsafeMutablePointer<cnetpoll_ring>
        private var isEnabled = false

        /// How often ``enter(waits:nanoseconds:)`` entered the kernel.
        private(set) var enters = 0

        /// How many submissions were written.
        var submissions: Int { Int(ring.pointee.sq_next) }

        /// - Throws: ``SystemError``: ENOSYS where the kernel has no io_uring or an older one than
        ///   6.1; what it says where it forbids any of the calls, such as EPERM.
        init(entries: Int, completions: Int) throws(SystemError) {
            ring = .allocate(capacity: 1)
            let code = cnetpoll_ring_open(ring, UInt32(entries), UInt32(completions))
            guard code == 0 else {
                // Linux before 6.1 does not know the flags that are asked for.
                throw SystemError(
                    code: -code == EINVAL ? ENOSYS : -code, operation: "io_uring_setup")
            }
            // A filter may let rings be made and not be used, which the first wait would find out too
            // late. Until it is enabled, by the thread that will use it, a ring answers EBADFD.
            let entered = cnetpoll_ring_enter(ring, false, 0, -1)
            guard entered >= 0 || entered == -EBADFD else {
                throw SystemError(code: -entered, operation: "io_uring_enter")
            }
        }

        deinit {
            cnetpoll_ring_close(ring)
            ring.deallocate()
        }

        /// Submits what was written, and with `waits` waits for one completion, no longer than
        /// `nanoseconds` (0: only takes what is there; negative: no limit).
        func enter(waits: Bool, nanoseconds: Int64 = 0) throws(SystemError) {
            let isPoll = nanoseconds == 0
            try enter(waits, for: isPoll ? 0 : 1, nanoseconds: isPoll ? -1 : nanoseconds)
        }

        /// Submits what was written, and has the kernel do all that this and what came before brings about.
        ///
        /// Since Linux 6.13 it does no more at once than it is asked to wait for, or 20 things: so this
        /// asks for as many completions as there is room for, and does not wait.
        func settle() throws(SystemError) {
            try enter(true, for: ring.pointee.cq_mask + 1, nanoseconds: 0)
        }

        private func enter(
            _ waits: Bool, for completions: UInt32, nanoseconds: Int64
        ) throws(SystemError) {
            if !isEnabled {
                let code = cnetpoll_ring_enable(ring)
                guard code == 0 else {
                    throw SystemError(code: -code, operation: "io_uring_register")
                }
                isEnabled = true
            }
            enters += 1
            let result = cnetpoll_ring_enter(ring, waits, completions, nanoseconds)
            // EBUSY and EAGAIN pass when completions are taken; nothing is lost.
            guard result < 0, ![EINTR, ETIME, EBUSY, EAGAIN].contains(-result) else { return }
            throw SystemError(code: -result, operation: "io_uring_enter")
        }

        /// Completions that can be taken.
        var ready: Int { Int(cnetpoll_ring_ready(ring)) }

        /// Takes a completion, of which there must be one.
        @inline(__always)
        func take() -> Completion { cnetpoll_ring_take(ring) }

        /// Gives the kernel `count` places for buffers.
        func provide(_ places: UnsafeMutableRawPointer, count: Int) throws(SystemError) {
            let code = cnetpoll_ring_provide(ring, places, UInt32(count))
            guard code == 0 else {
                throw SystemError(code: -code, operation: "io_uring_register buffers")
            }
        }

        // MARK: - Submissions

        func accept(_ fd: Int32, userData: UInt64) {
            makeRoom()
            let flags = UInt32(SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
            cnetpoll_ring_accept(ring, fd, flags, userData)
        }

        func receive(_ fd: Int32, userData: UInt64) {
            makeRoom()
            cnetpoll_ring_receive(ring, fd, userData)
        }

        func poll(_ fd: Int32, _ events: Int32, repeats: Bool = false, userData: UInt64) {
            makeRoom()
            cnetpoll_ring_poll(ring, fd, UInt32(events), repeats, userData)
        }

        func cancel(_ target: UInt64, userData: UInt64) {
            makeRoom()
            cnetpoll_ring_cancel(ring, target, userData)
        }

        private func makeRoom() {
            guard cnetpoll_ring_is_full(ring) else { return }
            do {
                while cnetpoll_ring_is_full(ring) { try enter(waits: false) }
            } catch {
                preconditionFailure("a full ring cannot be submitted: \(error)")
            }
        }
    }
#endif
