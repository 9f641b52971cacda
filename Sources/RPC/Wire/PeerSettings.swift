/// What a side tells the other about itself when extensions are negotiated (PROTOCOL.md,
/// SETTINGS).
struct PeerSettings: Hashable, Sendable {
    static let versionNow: UInt32 = 1

    var version = versionNow
    /// How much the other side may send on each stream before it is given more.
    var streamCredit: UInt32 = 256 << 10
    /// How much the other side may send on all streams together.
    var connectionCredit: UInt32 = 1 << 20
    /// The longest message this side takes.
    var messageBytesMax: UInt32 = UInt32(FrameHeader.dataBytesMax)
    /// How many calls of the other side may be in flight.
    var callsMax: UInt32 = 1_024
    /// How many messages of the other side may be arriving in pieces at once; 0: none.
    var partialsMax: UInt32 = 8
    /// The compressors this side understands, a bit each.
    var compressors: UInt32 = 0

    /// RFC 1950.
    static let zlib: UInt32 = 1

    var takesZlib: Bool { compressors & Self.zlib != 0 }

    init() {}

    private enum Item: UInt16 {
        case version = 1
        case streamCredit = 2
        case connectionCredit = 3
        case messageBytesMax = 4
        case callsMax = 5
        case partialsMax = 6
        case compressors = 7
    }

    /// Items of a number (u16) and a value (u32), big-endian.
    var bytes: [UInt8] {
        let items: [(Item, UInt32)] =
            [
                (.version, version), (.streamCredit, streamCredit),
                (.connectionCredit, connectionCredit), (.messageBytesMax, messageBytesMax),
                (.callsMax, callsMax), (.partialsMax, partialsMax),
            ] + (compressors == 0 ? [] : [(.compressors, compressors)])
        return items.flatMap { item, value in
            withUnsafeBytes(of: item.rawValue.bigEndian) { Array($0) }
                + withUnsafeBytes(of: value.bigEndian) { Array($0) }
        }
    }

    /// Items that are not known are passed over; `nil` where the data end inside one, or no version
    /// is among them.
    init?(_ bytes: UnsafeRawBufferPointer) {
        guard bytes.count.isMultiple(of: 6) else { return nil }
        // What an older peer does not say it does not know.
        (version, partialsMax, compressors) = (0, 0, 0)
        for offset in stride(from: 0, to: bytes.count, by: 6) {
            let number = UInt16(
                bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt16.self))
            let value = UInt32(
                bigEndian: bytes.loadUnaligned(fromByteOffset: offset + 2, as: UInt32.self))
            switch Item(rawValue: number) {
            case .version: version = value
            case .streamCredit: streamCredit = min(value, UInt32(Int32.max))
            case .connectionCredit: connectionCredit = min(value, UInt32(Int32.max))
            case .messageBytesMax: messageBytesMax = value
            case .callsMax: callsMax = value
            case .partialsMax: partialsMax = value
            case .compressors: compressors = value
            case nil: break
            }
        }
        guard version > 0 else { return nil }
    }
}
