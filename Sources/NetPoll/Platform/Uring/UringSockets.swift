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
            /// Its receive or accept is due with the next wait.
            static let due = Flags(rawValue: 1 << 1)
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

        /// In 8 bytes: every connection has one.
        struct Entry {
            /// The token's ``Token/place``; the loop knows its generation while the socket is open.
            var place: UInt32 = 0
            /// Bits 0–9 the flags, bits 10–31 the generation.
            private var packed: UInt32 = 0

            private static var flagsMask: UInt32 { 0x3ff }

            @inline(__always)
            var flags: Flags {
                get { Flags(rawValue: UInt16(packed & Self.flagsMask)) }
                set { packed = packed & ~Self.flagsMask | UInt32(newValue.rawValue) }
            }

            /// Begins again after 4,194,304 uses of one descriptor: what is with the kernel for the
            /// first is cancelled by the wait that follows its close.
            @inline(__always)
            var generation: UInt32 { packed >> 10 }

            mutating func close() {
                flags = []
                packed &+= 1 << 10
            }
        }

        private var entries: UnsafeMutablePointer<Entry>
        private var capacity = 256
        /// Entries of higher descriptors are not touched, so that they take no memory.
        private var used = 0

        init() {
            entries = .allocate(capacity: capacity)
        }

        deinit { entries.deallocate() }

        /// The entry of a descriptor that was opened before.
        subscript(fd: Int32) -> Entry {
            @inline(__always) get { entries[Int(fd)] }
            @inline(__always) nonmutating _modify { yield &entries[Int(fd)] }
        }

        /// Whether a request still concerns the descriptor it was made for.
        @inline(__always)
        func isLive(_ id: RequestID) -> Bool {
            Int(id.fd) < used && entries[Int(id.fd)].generation == id.generation
        }

        func isOpen(_ fd: Int32) -> Bool {
            Int(fd) < used && entries[Int(fd)].flags.contains(.open)
        }

        mutating func open(_ fd: Int32, _ token: Token, _ flags: Flags) {
            if Int(fd) >= used { use(upTo: Int(fd)) }
            entries[Int(fd)].place = token.place
            entries[Int(fd)].flags = flags.union(.open)
        }

        mutating func close(_ fd: Int32) {
            entries[Int(fd)].close()
        }

        private mutating func use(upTo fd: Int) {
            if fd >= capacity { grow(beyond: fd) }
            (entries + used).initialize(repeating: Entry(), count: fd + 1 - used)
            used = fd + 1
        }

        private mutating func grow(beyond fd: Int) {
            precondition(fd < 1 << 28, "descriptor \(fd)")
            var larger = capacity
            while larger <= fd { larger *= 2 }
            let moved = UnsafeMutablePointer<Entry>.allocate(capacity: larger)
            moved.moveInitialize(from: entries, count: used)
            entries.deallocate()
            entries = moved
            capacity = larger
        }
    }
#endif
