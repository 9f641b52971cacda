/// Writes protobuf fields to memory that was measured before.
struct ProtobufWriter {
    /// Where the next byte goes.
    private(set) var place: UnsafeMutableRawPointer

    @inline(__always)
    init(_ place: UnsafeMutableRawPointer) {
        self.place = place
    }

    /// How many bytes `value` takes as a varint.
    @inline(__always)
    static func bytes(ofVarint value: UInt64) -> Int {
        value < 0x80 ? 1 : (63 - value.leadingZeroBitCount) / 7 + 1
    }

    /// How many bytes a length-delimited field of `count` bytes takes, for field numbers up to 15.
    @inline(__always)
    static func bytes(ofField count: Int) -> Int {
        1 + bytes(ofVarint: UInt64(count)) + count
    }

    @inline(__always)
    mutating func byte(_ value: UInt8) {
        place.storeBytes(of: value, as: UInt8.self)
        place += 1
    }

    @inline(__always)
    mutating func varint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            byte(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        byte(UInt8(truncatingIfNeeded: rest))
    }

    /// The tag and length of a length-delimited field.
    @inline(__always)
    mutating func lengthField(_ field: UInt8, bytes count: Int) {
        byte(field << 3 | 2)
        varint(UInt64(count))
    }

    @inline(__always)
    mutating func copy(_ bytes: UnsafeRawBufferPointer) {
        guard let base = bytes.baseAddress else { return }
        place.copyMemory(from: base, byteCount: bytes.count)
        place += bytes.count
    }

    /// A whole string field.
    mutating func string(_ field: UInt8, _ text: String) {
        var text = text
        text.withUTF8 { bytes in
            lengthField(field, bytes: bytes.count)
            copy(UnsafeRawBufferPointer(bytes))
        }
    }

    /// A whole field of bytes.
    mutating func bytes(_ field: UInt8, _ value: [UInt8]) {
        lengthField(field, bytes: value.count)
        value.withUnsafeBytes { copy($0) }
    }
}
