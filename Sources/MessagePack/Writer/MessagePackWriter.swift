/// Writes MessagePack; every value in its shortest format.
///
/// ```swift
/// var writer = MessagePackWriter()
/// writer.writeMapHead(count: 1)
/// writer.write("answer")
/// writer.write(42)
/// send(writer.bytes)
/// ```
///
/// Heads of arrays and maps are written as said; that as many elements follow is the caller's word.
public struct MessagePackWriter: Sendable {
    /// What was written.
    public private(set) var bytes: [UInt8] = []

    public init() {}

    /// Forgets what was written, and keeps the memory.
    public mutating func removeAll() {
        bytes.removeAll(keepingCapacity: true)
    }

    public mutating func writeNull() {
        bytes.append(MessagePackFormat.null)
    }

    public mutating func write(_ value: Bool) {
        bytes.append(value ? MessagePackFormat.isTrue : MessagePackFormat.isFalse)
    }

    public mutating func write(_ value: Int64) {
        switch value {
        case 0...: write(UInt64(value))
        case -32..<0: bytes.append(UInt8(bitPattern: Int8(value)))
        case Int64(Int8.min)..<0: append(MessagePackFormat.int8, Int8(value))
        case Int64(Int16.min)..<0: append(MessagePackFormat.int16, Int16(value))
        case Int64(Int32.min)..<0: append(MessagePackFormat.int32, Int32(value))
        default: append(MessagePackFormat.int64, value)
        }
    }

    public mutating func write(_ value: Int) {
        write(Int64(value))
    }

    public mutating func write(_ value: UInt64) {
        switch value {
        case 0..<128: bytes.append(UInt8(value))
        case 0...UInt64(UInt8.max): append(MessagePackFormat.uint8, UInt8(value))
        case 0...UInt64(UInt16.max): append(MessagePackFormat.uint16, UInt16(value))
        case 0...UInt64(UInt32.max): append(MessagePackFormat.uint32, UInt32(value))
        default: append(MessagePackFormat.uint64, value)
        }
    }

    public mutating func write(_ value: Float) {
        append(MessagePackFormat.float32, value.bitPattern)
    }

    public mutating func write(_ value: Double) {
        append(MessagePackFormat.float64, value.bitPattern)
    }

    /// Writes text; at most 2³² - 1 bytes.
    public mutating func write(_ text: String) {
        var text = text
        text.withUTF8 { utf8 in
            switch utf8.count {
            case 0..<32: bytes.append(MessagePackFormat.fixString | UInt8(utf8.count))
            case 32...Int(UInt8.max): append(MessagePackFormat.string8, UInt8(utf8.count))
            default:
                appendLength(utf8.count, MessagePackFormat.string16, MessagePackFormat.string32)
            }
            bytes.append(contentsOf: utf8)
        }
    }

    /// Writes bytes (`bin`); at most 2³² - 1.
    public mutating func write(_ data: RawSpan) {
        if data.byteCount <= Int(UInt8.max) {
            append(MessagePackFormat.bin8, UInt8(data.byteCount))
        } else {
            appendLength(data.byteCount, MessagePackFormat.bin16, MessagePackFormat.bin32)
        }
        writeEncoded(data)
    }

    /// Writes bytes (`bin`); at most 2³² - 1.
    public mutating func write(_ data: [UInt8]) {
        write(data.span.bytes)
    }

    /// Writes the head of an array; `count` values must follow, at most 2³² - 1.
    public mutating func writeArrayHead(count: Int) {
        if count < 16 {
            bytes.append(MessagePackFormat.fixArray | UInt8(count))
        } else {
            appendLength(count, MessagePackFormat.array16, MessagePackFormat.array32)
        }
    }

    /// Writes the head of a map; `count` keys with their values must follow, at most 2³² - 1.
    public mutating func writeMapHead(count: Int) {
        if count < 16 {
            bytes.append(MessagePackFormat.fixMap | UInt8(count))
        } else {
            appendLength(count, MessagePackFormat.map16, MessagePackFormat.map32)
        }
    }

    /// Writes a value of an application's type.
    ///
    /// - Parameters:
    ///   - type: From 0 on the application's, below 0 the specification's.
    ///   - data: At most 2³² - 1 bytes.
    public mutating func writeExtension(type: Int8, _ data: RawSpan) {
        let count = data.byteCount
        switch count {
        case 1, 2, 4, 8, 16:
            bytes.append(MessagePackFormat.fixExt1 + UInt8(count.trailingZeroBitCount))
        case 0...Int(UInt8.max): append(MessagePackFormat.ext8, UInt8(count))
        default: appendLength(count, MessagePackFormat.ext16, MessagePackFormat.ext32)
        }
        bytes.append(UInt8(bitPattern: type))
        writeEncoded(data)
    }

    /// Appends bytes that are MessagePack already.
    public mutating func writeEncoded(_ encoded: RawSpan) {
        // The pointer is used within the call only.
        encoded.withUnsafeBytes { bytes.append(contentsOf: $0) }
    }

    mutating func remove(_ range: Range<Int>) {
        bytes.removeSubrange(range)
    }

    private mutating func appendLength(_ count: Int, _ format16: UInt8, _ format32: UInt8) {
        if let count = UInt16(exactly: count) {
            append(format16, count)
        } else if let count = UInt32(exactly: count) {
            append(format32, count)
        } else {
            preconditionFailure("a length of \(count) has no format")
        }
    }

    private mutating func append<Number: FixedWidthInteger>(_ format: UInt8, _ number: Number) {
        bytes.append(format)
        withUnsafeBytes(of: number.bigEndian) { bytes.append(contentsOf: $0) }
    }
}
