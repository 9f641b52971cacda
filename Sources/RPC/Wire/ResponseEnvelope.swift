/// ttrpc's `Response` in place, with its `google.rpc.Status` (request.proto, status.proto).
///
/// A status that is there twice is merged field by field, as protobuf has it.
struct ResponseEnvelope: Hashable, Sendable {
    /// 0 is OK, as is no status at all.
    var code: Int32 = 0
    var message = 0..<0
    /// From the first to behind the last detail (`Any`) of the last status; 0..<0: none.
    var details = 0..<0
    var detailCount = 0
    var payload = 0..<0

    /// Reads and checks all fields; allocates nothing.
    init(_ bytes: UnsafeRawBufferPointer) throws(EnvelopeError) {
        var reader = ProtobufReader(bytes)
        while !reader.isAtEnd {
            let tag = try reader.tag()
            switch (tag.field, tag.type) {
            case (1, .bytes): try readStatus(bytes, in: try reader.bytes())
            case (2, .bytes): payload = try reader.bytes()
            case (1...2, _): throw .wrongWireType(field: tag.field)
            default: try reader.skip(tag.type)
            }
        }
    }

    private mutating func readStatus(
        _ bytes: UnsafeRawBufferPointer, in range: Range<Int>
    ) throws(EnvelopeError) {
        var reader = ProtobufReader(bytes, in: range)
        (details, detailCount) = (0..<0, 0)
        while !reader.isAtEnd {
            let start = reader.cursor
            let tag = try reader.tag()
            switch (tag.field, tag.type) {
            // A negative int32 comes as ten bytes: only its low half counts.
            case (1, .varint): code = Int32(truncatingIfNeeded: try reader.varint())
            case (2, .bytes): message = try reader.bytes()
            case (3, .bytes):
                let detail = try reader.bytes()
                _ = try DetailEntry(bytes, in: detail)
                details = (detailCount == 0 ? start : details.lowerBound)..<detail.upperBound
                detailCount += 1
            case (1...3, _): throw .wrongWireType(field: tag.field)
            default: try reader.skip(tag.type)
            }
        }
        guard UTF8Check.isValid(bytes, in: message) else { throw .invalidUTF8(field: 2) }
    }

    /// Calls `body` with each detail, in order.
    func forEachDetail(of bytes: UnsafeRawBufferPointer, _ body: (DetailEntry) -> Void) {
        var reader = ProtobufReader(bytes, in: details)
        do throws(EnvelopeError) {
            while !reader.isAtEnd {
                let tag = try reader.tag()
                if tag.field == 3 {
                    body(try DetailEntry(bytes, in: try reader.bytes()))
                } else {
                    try reader.skip(tag.type)
                }
            }
        } catch {
            preconditionFailure("details that were read before: \(error)")
        }
    }
}

/// `google.protobuf.Any` in place.
struct DetailEntry: Hashable, Sendable {
    var typeURL = 0..<0
    var value = 0..<0

    init(_ bytes: UnsafeRawBufferPointer, in range: Range<Int>) throws(EnvelopeError) {
        var reader = ProtobufReader(bytes, in: range)
        while !reader.isAtEnd {
            let tag = try reader.tag()
            switch (tag.field, tag.type) {
            case (1, .bytes): typeURL = try reader.bytes()
            case (2, .bytes): value = try reader.bytes()
            case (1...2, _): throw .wrongWireType(field: tag.field)
            default: try reader.skip(tag.type)
            }
        }
        guard UTF8Check.isValid(bytes, in: typeURL) else { throw .invalidUTF8(field: 1) }
    }
}
