/// ttrpc's `Request` in place: ranges of the frame's data (request.proto).
///
/// Of a field that is there several times the last one counts, as protobuf has it, but for the
/// metadata, which repeats.
struct RequestEnvelope: Hashable, Sendable {
    var service = 0..<0
    var method = 0..<0
    var payload = 0..<0
    /// 0: none. Negative: the deadline has passed already.
    var timeoutNanoseconds: Int64 = 0
    /// From the first to behind the last entry; 0..<0 where there is none.
    var metadata = 0..<0
    /// How many entries there are.
    var metadataCount = 0

    /// Reads and checks all fields; allocates nothing.
    init(_ bytes: UnsafeRawBufferPointer) throws(EnvelopeError) {
        var reader = ProtobufReader(bytes)
        while !reader.isAtEnd {
            let start = reader.cursor
            let tag = try reader.tag()
            switch (tag.field, tag.type) {
            case (1, .bytes): service = try reader.bytes()
            case (2, .bytes): method = try reader.bytes()
            case (3, .bytes): payload = try reader.bytes()
            case (4, .varint): timeoutNanoseconds = Int64(bitPattern: try reader.varint())
            case (5, .bytes):
                let entry = try reader.bytes()
                _ = try MetadataEntry(bytes, in: entry)
                metadata = (metadataCount == 0 ? start : metadata.lowerBound)..<entry.upperBound
                metadataCount += 1
            case (1...5, _): throw .wrongWireType(field: tag.field)
            default: try reader.skip(tag.type)
            }
        }
        guard UTF8Check.isValid(bytes, in: service) else { throw .invalidUTF8(field: 1) }
        guard UTF8Check.isValid(bytes, in: method) else { throw .invalidUTF8(field: 2) }
    }

    /// Calls `body` with each entry of the metadata, in order.
    func forEachEntry(of bytes: UnsafeRawBufferPointer, _ body: (MetadataEntry) -> Void) {
        var reader = ProtobufReader(bytes, in: metadata)
        do throws(EnvelopeError) {
            while !reader.isAtEnd {
                let tag = try reader.tag()
                if tag.field == 5 {
                    body(try MetadataEntry(bytes, in: try reader.bytes()))
                } else {
                    try reader.skip(tag.type)
                }
            }
        } catch {
            preconditionFailure("metadata that were read before: \(error)")
        }
    }
}

/// ttrpc's `KeyValue` in place.
struct MetadataEntry: Hashable, Sendable {
    var key = 0..<0
    var value = 0..<0

    init(_ bytes: UnsafeRawBufferPointer, in range: Range<Int>) throws(EnvelopeError) {
        var reader = ProtobufReader(bytes, in: range)
        while !reader.isAtEnd {
            let tag = try reader.tag()
            switch (tag.field, tag.type) {
            case (1, .bytes): key = try reader.bytes()
            case (2, .bytes): value = try reader.bytes()
            case (1...2, _): throw .wrongWireType(field: tag.field)
            default: try reader.skip(tag.type)
            }
        }
        guard UTF8Check.isValid(bytes, in: key) else { throw .invalidUTF8(field: 1) }
        guard UTF8Check.isValid(bytes, in: value) else { throw .invalidUTF8(field: 2) }
    }
}
