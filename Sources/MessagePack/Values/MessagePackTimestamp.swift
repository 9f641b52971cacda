/// A moment ("Timestamp extension type" in the MessagePack specification): the extension -1.
///
/// `Codable`: ``MessagePackEncoder`` and ``MessagePackDecoder`` write and read the extension, other
/// coders a structure of the two fields.
public struct MessagePackTimestamp: Hashable, Sendable, Codable {
    /// The extension's type.
    public static let type: Int8 = -1

    /// Since 1970-01-01 00:00:00 UTC.
    public var seconds: Int64
    /// Further on, below 1,000,000,000.
    public var nanoseconds: UInt32 {
        didSet { precondition(nanoseconds < 1_000_000_000, "\(nanoseconds) ns") }
    }

    private enum CodingKeys: CodingKey {
        case seconds, nanoseconds
    }

    public init(seconds: Int64, nanoseconds: UInt32 = 0) {
        precondition(nanoseconds < 1_000_000_000, "\(nanoseconds) ns")
        self.seconds = seconds
        self.nanoseconds = nanoseconds
    }

    /// Reads the two fields; of a whole second more it throws `DecodingError`.
    public init(from decoder: any Decoder) throws {
        let map = try decoder.container(keyedBy: CodingKeys.self)
        seconds = try map.decode(Int64.self, forKey: .seconds)
        nanoseconds = try map.decode(UInt32.self, forKey: .nanoseconds)
        guard nanoseconds < 1_000_000_000 else {
            throw DecodingError.dataCorruptedError(
                forKey: .nanoseconds, in: map, debugDescription: "\(nanoseconds) ns")
        }
    }

    /// Reads the bytes of an extension of the type -1.
    ///
    /// - Throws: ``MessagePackError/Reason/invalidTimestamp``.
    public init(extensionBytes bytes: RawSpan) throws(MessagePackError) {
        // The pointer is used within the closure only; each load is within its count.
        let read: (Int64, UInt32)? = bytes.withUnsafeBytes { bytes in
            func load<Number: FixedWidthInteger & BitwiseCopyable>(
                _ offset: Int, _ type: Number.Type
            ) -> Number {
                Number(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: type))
            }
            switch bytes.count {
            case 4: return (Int64(load(0, UInt32.self)), 0)
            case 8:
                let word = load(0, UInt64.self)
                return (Int64(word & 0x3_ffff_ffff), UInt32(word >> 34))
            case 12: return (load(4, Int64.self), load(0, UInt32.self))
            default: return nil
            }
        }
        guard let read, read.1 < 1_000_000_000 else {
            throw MessagePackError(.invalidTimestamp, at: 0)
        }
        (seconds, nanoseconds) = read
    }
}

extension MessagePackWriter {
    /// Writes a moment in the shortest of its three formats.
    public mutating func write(_ timestamp: MessagePackTimestamp) {
        if timestamp.nanoseconds == 0, let seconds = UInt32(exactly: timestamp.seconds) {
            withUnsafeBytes(of: seconds.bigEndian) { write(timestampBytes: $0) }
        } else if timestamp.seconds >= 0, timestamp.seconds < 1 << 34 {
            let word = UInt64(timestamp.nanoseconds) << 34 | UInt64(timestamp.seconds)
            withUnsafeBytes(of: word.bigEndian) { write(timestampBytes: $0) }
        } else {
            let fields = (timestamp.nanoseconds.bigEndian, timestamp.seconds.bigEndian)
            var bytes = withUnsafeBytes(of: fields.0) { Array($0) }
            withUnsafeBytes(of: fields.1) { bytes.append(contentsOf: $0) }
            bytes.withUnsafeBytes { write(timestampBytes: $0) }
        }
    }

    private mutating func write(timestampBytes bytes: UnsafeRawBufferPointer) {
        writeExtension(type: MessagePackTimestamp.type, bytes.bytes)
    }
}
