extension Poller {
    /// What a registration waits for, and how it is told.
    public struct Interest: OptionSet, Hashable, Sendable {
        public let rawValue: UInt8

        public init(rawValue: UInt8) {
            self.rawValue = rawValue
        }

        /// Bytes or connections wait, or the peer ended.
        public static let read = Interest(rawValue: 1 << 0)
        /// Bytes can be written.
        public static let write = Interest(rawValue: 1 << 1)
        /// Told once; then nothing more until ``Poller/modify(_:_:)`` or
        /// ``Poller/Watch/resume()``.
        public static let oneShot = Interest(rawValue: 1 << 2)
        /// Told when the state changes, not as long as it lasts: read or write until EAGAIN.
        public static let edge = Interest(rawValue: 1 << 3)
    }

    /// What a descriptor is ready for.
    public struct Readiness: OptionSet, Hashable, Sendable {
        public let rawValue: UInt8

        public init(rawValue: UInt8) {
            self.rawValue = rawValue
        }

        /// A read will not wait: for bytes, a connection, or the end.
        public static let read = Readiness(rawValue: 1 << 0)
        /// A write will not wait.
        public static let write = Readiness(rawValue: 1 << 1)
        /// The peer closed its writing end; bytes may still be there to read.
        public static let readEnded = Readiness(rawValue: 1 << 2)
        /// Both directions ended, or a pipe's other end was closed. Told whatever the interest.
        public static let hangUp = Readiness(rawValue: 1 << 3)
        /// The descriptor has a pending error (SO_ERROR, socket(7)). Told whatever the interest.
        public static let error = Readiness(rawValue: 1 << 4)
    }

    /// Names one registration for ever: slot and generation, so that an event which was on its way
    /// when the registration ended names nothing.
    public struct Registration: Hashable, Sendable {
        let rawValue: UInt64

        init(slot: Int, generation: UInt32) {
            rawValue = UInt64(generation) << 32 | UInt64(slot)
        }

        init(rawValue: UInt64) {
            self.rawValue = rawValue
        }

        var slot: Int { Int(truncatingIfNeeded: rawValue & 0xffff_ffff) }
        var generation: UInt32 { UInt32(truncatingIfNeeded: rawValue >> 32) }
    }

    /// A registration's descriptor is ready.
    public struct Event: Hashable, Sendable {
        public let registration: Registration
        public let readiness: Readiness
    }
}
