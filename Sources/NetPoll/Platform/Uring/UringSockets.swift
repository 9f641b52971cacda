#if os(Linux)
    /// What a request of the io_uring driver is for, to be told from its completion.
    struct RequestID: Hashable {
        enum Purpose: UInt8 {
            /// A multishot accept.
            case accept = 0
            /// A multishot receive.
            case receive
            /// Room to send, the end of a connect, or connections that wait at a listener without a
            /// multishot accept.
            case readiness
            /// The break of a connection whose receiving is paused.
            case breakage
            /// The waker's eventfd.
            case wakeup
            /// Nobody waits for it.
            case cancellation
        }

        /// Bits 0–27 descriptor, bits 28–31 purpose, bits 32–63 the descriptor's generation.
        let rawValue: UInt64

        @inline(__always)
        init(rawValue: UInt64) {
            self.rawValue = rawValue
        }

        @inline(__always)
        init(_ purpose: Purpose, _ fd: Int32, _ generation: UInt32) {
            rawValue =
                UInt64(generation) << 32 | UInt64(purpose.rawValue) << 28
                | UInt64(UInt32(bitPattern: fd))
        }

        var fd: Int32 { Int32(truncatingIfNeeded: rawValue & 0xfff_ffff) }
        var purpose: Purpose? { Purpose(rawValue: UInt8(truncatingIfNeeded: rawValue >> 28 & 15)) }
        var generation: UInt32 { UInt32(truncatingIfNeeded: rawValue >> 32) }
    }

    /// What the io_uring driver knows of each descriptor, by its number.
    ///
    /// A descriptor's generation rises when it is closed, so a completion that comes late names
    /// nothing, also when the number is in use again.
    struct UringSockets: ~Copyable {
        struct Flags: OptionSet {
            let rawValue: UInt16
            static let open = Flags(rawValue: 1 << 0)
            /// The loop wants what arrives.
            static let wanted = Flags(rawValue: 1 << 2)
            /// A multishot request is with the kernel.
            static let armed = Flags(rawValue: 1 << 3)
            /// Its cancellation was asked for.
            static let cancelling = Flags(rawValue: 1 << 4)
            /// A request of ``RequestID/Purpose/readiness`` is with the kernel.
            static let awaitsReadiness = Flags(rawValue: 1 << 5)
            /// A request of ``RequestID/Purpose/breakage`` is with the kernel.
            static let awaitsBreakage = Flags(rawValue: 1 << 6)
            /// The peer's end arrived.
            static let ended = Flags(rawValue: 1 << 7)
            /// A connection: bytes or the end arrived while they were not wanted. A listener:
            /// connections were accepted faster than they are served.
            static let stashed = Flags(rawValue: 1 << 8)
            /// No multishot request: its readiness is awaited, and a call of its own takes what is
            /// there. Datagrams, which so come in batches; connections that receive descriptors;
            /// listeners that must not accept faster than their rate.
            static let polled = Flags(rawValue: 1 << 9)
        }

        struct Entry {
            var token: Token
            var generation: UInt32
            var flags: Flags
        }

        private var entries: UnsafeMutablePointer<Entry>
        private var capacity = 256

        init() {
            entries = .allocate(capacity: capacity)
            entries.initialize(repeating: Self.unused, count: capacity)
        }

        deinit { entries.deallocate() }

        private static var unused: Entry {
            Entry(token: Token(rawValue: 0), generation: 1, flags: [])
        }

        /// The entry of a descriptor that was opened before.
        subscript(fd: Int32) -> Entry {
            @inline(__always) get { entries[Int(fd)] }
            @inline(__always) nonmutating _modify { yield &entries[Int(fd)] }
        }

        /// Whether a request still concerns the descriptor it was made for.
        @inline(__always)
        func isLive(_ id: RequestID) -> Bool {
            Int(id.fd) < capacity && entries[Int(id.fd)].generation == id.generation
        }

        func isOpen(_ fd: Int32) -> Bool {
            Int(fd) < capacity && entries[Int(fd)].flags.contains(.open)
        }

        mutating func open(_ fd: Int32, _ token: Token, _ flags: Flags) {
            if Int(fd) >= capacity { grow(beyond: Int(fd)) }
            entries[Int(fd)].token = token
            entries[Int(fd)].flags = flags.union(.open)
        }

        mutating func close(_ fd: Int32) {
            entries[Int(fd)].flags = []
            entries[Int(fd)].generation &+= 1
        }

        private mutating func grow(beyond fd: Int) {
            precondition(fd < 1 << 28, "descriptor \(fd)")
            var larger = capacity
            while larger <= fd { larger *= 2 }
            let moved = UnsafeMutablePointer<Entry>.allocate(capacity: larger)
            moved.moveInitialize(from: entries, count: capacity)
            (moved + capacity).initialize(repeating: Self.unused, count: larger - capacity)
            entries.deallocate()
            entries = moved
            capacity = larger
        }
    }
#endif
