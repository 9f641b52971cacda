import MessagePack

/// Writes values of several types as one array.
struct ParameterWriter {
    private var elements = MessagePackWriter()
    private var count = 0

    mutating func append<Parameter: Encodable>(_ parameter: Parameter) throws {
        try MessagePackEncoder().encode(parameter, to: &elements)
        count += 1
    }

    /// Writes the array.
    func write(to writer: inout MessagePackWriter) {
        writer.writeArrayHead(count: count)
        let elements = elements.bytes
        writer.writeEncoded(elements.span.bytes)
    }
}

/// Reads such an array, which is known to be one.
struct ParameterReader {
    typealias Unfit = MessagePackRPCParameters.Unfit

    private let encoded: [UInt8]
    private let limits: MessagePackReader.Limits
    private var reader: MessagePackReader
    private var cursor = 0
    private var left = 0
    private var index = 0

    init(_ encoded: [UInt8], _ limits: MessagePackReader.Limits) {
        self.encoded = encoded
        self.limits = limits
        reader = MessagePackReader(limits: limits)
        if case .array(let count) = token() { left = count }
    }

    /// The next value.
    mutating func next<Parameter: Decodable>(_ type: Parameter.Type) throws -> Parameter {
        guard left > 0 else { throw Unfit(text: "there are \(index)") }
        let start = cursor
        repeat { _ = token() } while reader.depth > 1
        left -= 1
        index += 1
        do {
            return try MessagePackDecoder(limits: limits).decode(
                type, from: encoded.span.bytes.extracting(start..<cursor))
        } catch {
            throw Unfit(text: "number \(index): \(error)")
        }
    }

    /// Makes sure that it was the last one.
    func end() throws {
        guard left == 0 else { throw Unfit(text: "there are \(index + left)") }
    }

    private mutating func token() -> MessagePackToken? {
        Self.token(of: encoded, at: &cursor, using: &reader)
    }

    private static func token(
        of encoded: [UInt8], at cursor: inout Int, using reader: inout MessagePackReader
    ) -> MessagePackToken? {
        let span = encoded.span
        do throws(MessagePackError) {
            return try reader.next(in: span.bytes, at: &cursor)
        } catch {
            preconditionFailure("a scanned message: \(error)")
        }
    }
}
