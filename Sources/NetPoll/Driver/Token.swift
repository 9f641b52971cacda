/// What a driver gives back with every event: slot, generation and kind of the registration.
///
/// A slot's generation rises when it is given up, so an event that was already on its way for a
/// closed or reused descriptor names nothing and is dropped.
package struct Token: Hashable, Sendable {
    package enum Kind: UInt8, CaseIterable, Sendable {
        case connection = 0
        case listener = 1
        /// A socket that is being connected.
        case attempt = 2
        case datagram = 3
    }

    /// Bits 0–28 slot, bits 29–31 kind, bits 32–63 generation.
    package let rawValue: UInt64

    package init(rawValue: UInt64) {
        self.rawValue = rawValue
    }

    init(slot: Int, generation: UInt32, kind: Kind) {
        rawValue = UInt64(generation) << 32 | UInt64(kind.rawValue) << 29 | UInt64(slot)
    }

    var slot: Int { Int(truncatingIfNeeded: rawValue & 0x1fff_ffff) }
    var generation: UInt32 { UInt32(truncatingIfNeeded: rawValue >> 32) }

    /// Slot and kind, without the generation.
    var place: UInt32 { UInt32(truncatingIfNeeded: rawValue) }

    init(place: UInt32, generation: UInt32) {
        rawValue = UInt64(generation) << 32 | UInt64(place)
    }

    @inline(__always)
    package var kind: Kind { Self.kind(ofPlace: place) }

    @inline(__always)
    static func kind(ofPlace place: UInt32) -> Kind {
        switch place >> 29 {
        case 0: .connection
        case 1: .listener
        case 2: .attempt
        case 3: .datagram
        case let kind: preconditionFailure("a token of kind \(kind), which none was made with")
        }
    }
}

/// Names one connection of one group for ever: it never names a later connection in its place.
///
/// Safe to keep and to send to other threads; ``EventLoop/connection(_:)`` gives the connection
/// while it lives.
public struct ConnectionID: Hashable, Sendable {
    /// The ``EventLoop/index`` of the connection's loop.
    public let loopIndex: Int32
    let slot: UInt32
    let generation: UInt32
}

extension ConnectionID: CustomStringConvertible {
    public var description: String { "\(loopIndex)-\(slot)-\(generation)" }
}
