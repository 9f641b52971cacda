import MessagePack
import Testing

@Suite("MessagePackWriter")
struct WriterTests {
    @Test(arguments: Vector.all.filter(\.isShortest))
    func `every value takes its shortest format`(vector: Vector) {
        var writer = MessagePackWriter()
        switch vector.token {
        case .null: writer.writeNull()
        case .bool(let value): writer.write(value)
        case .integer(let value): writer.write(value)
        case .unsigned(let value): writer.write(value)
        case .float(let value): writer.write(value)
        case .double(let value): writer.write(value)
        case .string(let range): writer.write(String(decoding: vector.bytes[range], as: UTF8.self))
        case .bytes(let range): writer.write(Array(vector.bytes[range]))
        case .ext(let type, let range):
            writer.writeExtension(type: type, vector.bytes.span.bytes.extracting(range))
        case .array, .map: Issue.record("no scalar")
        }
        #expect(writer.bytes == vector.bytes)
    }

    @Test(
        arguments: [
            (0, [0x90]), (15, [0x9f]), (16, [0xdc, 0, 16]), (65_535, [0xdc, 0xff, 0xff]),
            (65_536, [0xdd, 0, 1, 0, 0]),
        ] as [(Int, [UInt8])])
    func `arrays have heads of three formats`(count: Int, expected: [UInt8]) throws {
        var writer = MessagePackWriter()
        writer.writeArrayHead(count: count)
        #expect(writer.bytes == expected)
        #expect(try head(expected) == .array(count: count))
    }

    @Test(
        arguments: [
            (0, [0x80]), (15, [0x8f]), (16, [0xde, 0, 16]), (65_535, [0xde, 0xff, 0xff]),
            (65_536, [0xdf, 0, 1, 0, 0]),
        ] as [(Int, [UInt8])])
    func `maps have heads of three formats`(count: Int, expected: [UInt8]) throws {
        var writer = MessagePackWriter()
        writer.writeMapHead(count: count)
        #expect(writer.bytes == expected)
        #expect(try head(expected) == .map(count: count))
    }

    @Test(
        arguments: [
            (0, 0, [0xd6, 0xff, 0, 0, 0, 0]),
            (4_294_967_295, 0, [0xd6, 0xff, 0xff, 0xff, 0xff, 0xff]),
            (1, 1, [0xd7, 0xff, 0, 0, 0, 4, 0, 0, 0, 1]),
            (4_294_967_296, 0, [0xd7, 0xff, 0, 0, 0, 1, 0, 0, 0, 0]),
            (
                17_179_869_183, 999_999_999,
                [0xd7, 0xff, 0xee, 0x6b, 0x27, 0xff, 0xff, 0xff, 0xff, 0xff]
            ),
            (17_179_869_184, 0, [0xc7, 12, 0xff, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0]),
            (-1, 2, [0xc7, 12, 0xff, 0, 0, 0, 2] + [UInt8](repeating: 0xff, count: 8)),
        ] as [(Int64, UInt32, [UInt8])])
    func `timestamps have three formats`(
        seconds: Int64, nanoseconds: UInt32, expected: [UInt8]
    ) throws {
        let timestamp = MessagePackTimestamp(seconds: seconds, nanoseconds: nanoseconds)
        var writer = MessagePackWriter()
        writer.write(timestamp)
        #expect(writer.bytes == expected)
        guard case .ext(MessagePackTimestamp.type, let range) = try head(expected) else {
            Issue.record("no timestamp")
            return
        }
        let read = try MessagePackTimestamp(extensionBytes: expected.span.bytes.extracting(range))
        #expect(read == timestamp)
    }

    @Test(
        arguments: [
            [], [0], [0, 0, 0, 0, 0], [0xee, 0x6b, 0x28, 0, 0, 0, 0, 0],
            [0x3b, 0x9a, 0xca, 0x00, 0, 0, 0, 0, 0, 0, 0, 0],
        ] as [[UInt8]])
    func `a timestamp of another length or of a second's nanoseconds is refused`(
        bytes: [UInt8]
    ) throws {
        let error = try #require(throws: MessagePackError.self) {
            try MessagePackTimestamp(extensionBytes: bytes.span.bytes)
        }
        #expect(error.reason == .invalidTimestamp)
    }

    @Test func `memory is kept and bytes are forgotten`() {
        var writer = MessagePackWriter()
        writer.write("text")
        writer.removeAll()
        writer.write(-1)
        #expect(writer.bytes == [0xff])
    }

    private func head(_ bytes: [UInt8]) throws -> MessagePackToken? {
        var reader = MessagePackReader()
        var cursor = 0
        return try reader.next(in: bytes.span.bytes, at: &cursor)
    }
}
