/// Reads protobuf fields in place (protobuf encoding, "Base 128 Varints" to "Groups").
///
/// Gives ranges of the input and allocates nothing.
struct ProtobufReader {
    enum WireType: UInt8, Sendable {
        case varint = 0
        case fixed64 = 1
        case bytes = 2
        case startGroup = 3
        case endGroup = 4
        case fixed32 = 5
    }

    struct Tag: Sendable {
        let field: Int
        let type: WireType
    }

    /// Groups within groups that are skipped, at most.
    static let groupDepthMax = 32

    private let base: UnsafeRawPointer?
    /// The next byte to read.
    private(set) var cursor: Int
    private let end: Int

    /// Reads `range` of `bytes`; what it gives counts from the start of `bytes`.
    @inline(__always)
    init(_ bytes: UnsafeRawBufferPointer, in range: Range<Int>) {
        base = bytes.baseAddress
        cursor = range.lowerBound
        end = range.upperBound
    }

    @inline(__always)
    init(_ bytes: UnsafeRawBufferPointer) { self.init(bytes, in: 0..<bytes.count) }

    @inline(__always)
    var isAtEnd: Bool { cursor == end }

    @inline(__always)
    mutating func tag() throws(EnvelopeError) -> Tag {
        let word = try varint()
        let field = word >> 3
        guard field > 0, field < 1 << 29, let type = WireType(rawValue: UInt8(word & 7)) else {
            throw .invalidTag
        }
        return Tag(field: Int(field), type: type)
    }

    @inline(__always)
    mutating func varint() throws(EnvelopeError) -> UInt64 {
        guard let base, cursor < end else { throw .truncated }
        let first = base.load(fromByteOffset: cursor, as: UInt8.self)
        if first < 0x80 {
            cursor += 1
            return UInt64(first)
        }
        return try longVarint(base)
    }

    private mutating func longVarint(_ base: UnsafeRawPointer) throws(EnvelopeError) -> UInt64 {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while cursor < end {
            let byte = base.load(fromByteOffset: cursor, as: UInt8.self)
            cursor += 1
            // The tenth byte holds the last bit of 64.
            if shift == 63, byte > 1 { throw .oversizedVarint }
            value |= UInt64(byte & 0x7f) << shift
            if byte < 0x80 { return value }
            shift += 7
        }
        throw .truncated
    }

    /// A length-delimited field's bytes.
    @inline(__always)
    mutating func bytes() throws(EnvelopeError) -> Range<Int> {
        let count = try varint()
        guard count <= UInt64(end - cursor) else { throw .truncated }
        let start = cursor
        cursor += Int(count)
        return start..<cursor
    }

    /// Passes over the value of a field that nobody knows.
    mutating func skip(_ type: WireType) throws(EnvelopeError) {
        switch type {
        case .varint: _ = try varint()
        case .fixed64: try advance(8)
        case .fixed32: try advance(4)
        case .bytes: _ = try bytes()
        case .startGroup: try skipGroup()
        case .endGroup: throw .malformedGroup
        }
    }

    private mutating func skipGroup() throws(EnvelopeError) {
        var depth = 1
        while depth > 0 {
            let tag = try tag()
            switch tag.type {
            case .startGroup:
                depth += 1
                guard depth <= Self.groupDepthMax else { throw .malformedGroup }
            case .endGroup: depth -= 1
            case .varint, .fixed64, .fixed32, .bytes: try skip(tag.type)
            }
        }
    }

    private mutating func advance(_ count: Int) throws(EnvelopeError) {
        guard end - cursor >= count else { throw .truncated }
        cursor += count
    }
}
