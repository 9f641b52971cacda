import MessagePack

/// Cuts a stream of bytes into messages.
///
/// Looks at each byte once, however the stream is cut, and keeps none.
struct MessageScanner {
    private let messageBytesMax: Int
    private let limits: MessagePackReader.Limits
    private var reader: MessagePackReader
    /// How much of the current message was looked at.
    private var scanned = 0

    init(messageBytesMax: Int, limits: MessagePackReader.Limits) {
        self.messageBytesMax = messageBytesMax
        self.limits = limits
        reader = MessagePackReader(limits: limits)
    }

    /// The message that begins at `cursor`.
    ///
    /// - Parameters:
    ///   - input: What was received from there on, and perhaps more before.
    ///   - cursor: Moved behind the message; stays where it is not whole yet.
    /// - Returns: The message, or `nil` where it goes on.
    /// - Throws: `MessageViolation`; the stream is given up then.
    mutating func next(
        in input: RawSpan, at cursor: inout Int
    ) throws(MessageViolation) -> WireMessage? {
        let start = cursor
        var position = start + scanned
        let isWhole: Bool
        do throws(MessagePackError) {
            isWhole = try reader.skipValue(in: input, at: &position)
        } catch {
            throw .malformed(error)
        }
        scanned = position - start
        let known = isWhole ? scanned : input.byteCount - start + reader.bytesMissing
        guard known <= messageBytesMax else { throw .oversized(limit: messageBytesMax) }
        guard isWhole else { return nil }
        scanned = 0
        cursor = position
        return try message(in: input, start..<position)
    }

    private func message(
        in input: RawSpan, _ range: Range<Int>
    ) throws(MessageViolation) -> WireMessage {
        var fields = MessageFields(at: range.lowerBound, limits)
        guard case .array(let count) = try fields.token(of: input), count > 0,
            case .integer(let kind) = try fields.token(of: input)
        else { throw .unexpected(place: 0) }
        switch (kind, count) {
        case (0, 4):
            let id = try fields.id(of: input)
            let method = try fields.method(of: input, place: 2)
            let parameters = try fields.array(of: input, place: 3)
            return .request(id: id, method: method, parameters: parameters)
        case (1, 4):
            let id = try fields.id(of: input)
            let error = try fields.value(of: input)
            let result = try fields.value(of: input)
            return .response(id: id, error: error.isNull ? nil : error.range, result: result.range)
        case (2, 3):
            let method = try fields.method(of: input, place: 1)
            let parameters = try fields.array(of: input, place: 2)
            return .notification(method: method, parameters: parameters)
        default: throw .unexpected(place: 0)
        }
    }
}
