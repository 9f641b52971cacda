import MessagePack

/// Reads the parts of a message that is known to be whole.
struct MessageFields {
    private var reader: MessagePackReader
    private var cursor: Int

    init(at start: Int, _ limits: MessagePackReader.Limits) {
        reader = MessagePackReader(limits: limits)
        cursor = start
    }

    mutating func token(of input: RawSpan) throws(MessageViolation) -> MessagePackToken {
        do throws(MessagePackError) {
            guard let token = try reader.next(in: input, at: &cursor) else {
                preconditionFailure("a whole message ends at \(cursor)")
            }
            return token
        } catch {
            throw .malformed(error)
        }
    }

    mutating func id(of input: RawSpan) throws(MessageViolation) -> UInt32 {
        guard case .integer(let number) = try token(of: input), let id = UInt32(exactly: number)
        else { throw .unexpected(place: 1) }
        return id
    }

    mutating func method(of input: RawSpan, place: Int) throws(MessageViolation) -> Range<Int> {
        guard case .string(let range) = try token(of: input) else {
            throw .unexpected(place: place)
        }
        return range
    }

    mutating func array(of input: RawSpan, place: Int) throws(MessageViolation) -> Range<Int> {
        let value = try value(of: input)
        guard value.isArray else { throw .unexpected(place: place) }
        return value.range
    }

    /// A whole value, whatever it is.
    mutating func value(
        of input: RawSpan
    ) throws(MessageViolation) -> (range: Range<Int>, isNull: Bool, isArray: Bool) {
        let start = cursor
        let depth = reader.depth
        let first = try token(of: input)
        // The message's own array is over with its last value.
        while reader.depth > depth { _ = try token(of: input) }
        var isArray = false
        if case .array = first { isArray = true }
        return (start..<cursor, first == .null, isArray)
    }
}
