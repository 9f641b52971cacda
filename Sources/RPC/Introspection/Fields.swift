/// Writes the protobuf fields of small messages of our own.
struct FieldWriter {
    private(set) var bytes: [UInt8] = []

    /// A number; 0 is what is not there.
    mutating func integer(_ field: UInt8, _ value: UInt64) {
        guard value != 0 else { return }
        bytes.append(field << 3)
        varint(value)
    }

    mutating func text(_ field: UInt8, _ value: String) {
        guard !value.isEmpty else { return }
        data(field, Array(value.utf8))
    }

    /// A message within the message.
    mutating func message(_ field: UInt8, _ value: FieldWriter) { data(field, value.bytes) }

    private mutating func data(_ field: UInt8, _ value: [UInt8]) {
        bytes.append(field << 3 | 2)
        varint(UInt64(value.count))
        bytes += value
    }

    private mutating func varint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(truncatingIfNeeded: rest))
    }
}

/// One protobuf field of such a message.
struct FieldReader {
    private enum Value {
        case integer(UInt64)
        case data(Range<Int>)
    }

    let number: Int
    private let value: Value
    private let input: UnsafeRawBufferPointer

    /// Reads each field in turn; those of other kinds are passed over.
    static func forEach(
        of payload: RawSpan, _ body: (FieldReader) throws(EnvelopeError) -> Void
    ) throws(EnvelopeError) {
        // The pointer is used within the call only.
        try payload.withUnsafeBytes { input throws(EnvelopeError) in
            try forEach(of: input, body)
        }
    }

    private static func forEach(
        of input: UnsafeRawBufferPointer, _ body: (FieldReader) throws(EnvelopeError) -> Void
    ) throws(EnvelopeError) {
        var reader = ProtobufReader(input)
        while !reader.isAtEnd {
            let tag = try reader.tag()
            switch tag.type {
            case .varint:
                let value = try reader.varint()
                try body(FieldReader(number: tag.field, value: .integer(value), input: input))
            case .bytes:
                let range = try reader.bytes()
                try body(FieldReader(number: tag.field, value: .data(range), input: input))
            case .fixed32, .fixed64, .startGroup, .endGroup: try reader.skip(tag.type)
            }
        }
    }

    func integer() throws(EnvelopeError) -> UInt64 {
        guard case .integer(let value) = value else { throw .wrongWireType(field: number) }
        return value
    }

    func text() throws(EnvelopeError) -> String {
        guard let text = String(validating: try data(), as: UTF8.self) else {
            throw .invalidUTF8(field: number)
        }
        return text
    }

    /// The fields of a message within the message.
    func forEachField(
        _ body: (FieldReader) throws(EnvelopeError) -> Void
    ) throws(EnvelopeError) {
        try Self.forEach(of: try data(), body)
    }

    private func data() throws(EnvelopeError) -> UnsafeRawBufferPointer {
        guard case .data(let range) = value else { throw .wrongWireType(field: number) }
        return UnsafeRawBufferPointer(rebasing: input[range])
    }
}
