import MessagePack
import Testing

@Suite("MessagePackReader")
struct ReaderTests {
    @Test(arguments: Vector.all)
    func `every format is read`(vector: Vector) throws {
        #expect(try tokens(of: vector.bytes) == [vector.token])
    }

    @Test func `the format that nobody uses is refused`() throws {
        let error = try #require(throws: MessagePackError.self) { try tokens(of: [0x91, 0xc1]) }
        #expect(error.reason == .reservedFormat)
        #expect(error.offset == 1)
        #expect(error.description == "0xc1 is no format, at byte 1")
    }

    @Test func `arrays and maps end with their last element`() throws {
        // [{"a": [], "b": nil}, 1]
        let bytes: [UInt8] = [0x92, 0x82, 0xa1, 0x61, 0x90, 0xa1, 0x62, 0xc0, 0x01]
        var reader = MessagePackReader()
        var cursor = 0
        var depths: [Int] = []
        repeat {
            _ = try reader.next(in: bytes.span.bytes, at: &cursor)
            depths.append(reader.depth)
        } while !reader.isBetweenValues
        #expect(depths == [1, 2, 2, 2, 2, 1, 0])
        #expect(cursor == bytes.count)
    }

    @Test(arguments: Vector.all)
    func `what is missing is asked for`(vector: Vector) throws {
        for count in 0..<vector.bytes.count {
            var reader = MessagePackReader()
            var cursor = 0
            let piece = Array(vector.bytes[..<count])
            #expect(try reader.next(in: piece.span.bytes, at: &cursor) == nil)
            #expect(cursor == 0)
            #expect(reader.bytesMissing > 0)
            #expect(reader.bytesMissing <= vector.bytes.count - count)
            // The rest is all it takes.
            #expect(try reader.next(in: vector.bytes.span.bytes, at: &cursor) == vector.token)
        }
    }

    @Test func `values follow each other`() throws {
        #expect(try tokens(of: [1, 0xc0, 0x90]) == [.integer(1), .null, .array(count: 0)])
    }

    @Test func `a value is passed over in pieces`() throws {
        let bytes: [UInt8] = [0x92, 0xa3, 0x61, 0x62, 0x63, 0x81, 1, 0xcd, 1, 2, 0xff]
        var reader = MessagePackReader()
        var cursor = 0
        for count in 0..<(bytes.count - 1) {
            let piece = Array(bytes[..<count])
            #expect(try !reader.skipValue(in: piece.span.bytes, at: &cursor))
        }
        #expect(try reader.skipValue(in: bytes.span.bytes, at: &cursor))
        #expect(cursor == bytes.count - 1)
    }

    @Test func `an announced length takes no memory and is not waited for beyond the limit`() throws
    {
        let limits = MessagePackReader.Limits(depthMax: 2, elementsMax: 4, bytesMax: 3)
        #expect(try tokens(of: [0xa3, 1, 2, 3], limits).count == 1)
        #expect(reason(of: [0xa4], limits) == .oversizedBytes(announced: 4, limit: 3))
        #expect(
            reason(of: [0xdb, 0xff, 0xff, 0xff, 0xff], limits)
                == .oversizedBytes(announced: 4_294_967_295, limit: 3))
        #expect(reason(of: [0xc7, 4, 1], limits) == .oversizedBytes(announced: 4, limit: 3))
        #expect(try tokens(of: [0x94, 1, 2, 3, 4], limits).count == 5)
        #expect(reason(of: [0x95], limits) == .oversizedCount(limit: 4))
        #expect(reason(of: [0xdf, 0xff, 0xff, 0xff, 0xff], limits) == .oversizedCount(limit: 4))
        #expect(reason(of: [0x92, 0x93], limits) == .oversizedCount(limit: 4))
        // Counted for each value anew.
        #expect(try tokens(of: [0x92, 1, 2, 0x94, 1, 2, 3, 4], limits).count == 8)
        #expect(try tokens(of: [0x91, 0x91, 1], limits).count == 3)
        #expect(reason(of: [0x91, 0x91, 0x90], limits) == .oversizedDepth(limit: 2))
    }

    @Test func `a failed reader is not asked again`() async {
        await #expect(processExitsWith: .failure) {
            var reader = MessagePackReader()
            var cursor = 0
            let bytes: [UInt8] = [0xc1]
            // Expected; the next call is what is tested.
            _ = try? reader.next(in: bytes.span.bytes, at: &cursor)
            _ = try reader.next(in: bytes.span.bytes, at: &cursor)
        }
    }

    private func tokens(
        of bytes: [UInt8], _ limits: MessagePackReader.Limits = .init()
    ) throws -> [MessagePackToken] {
        var reader = MessagePackReader(limits: limits)
        var cursor = 0
        var tokens: [MessagePackToken] = []
        while let token = try reader.next(in: bytes.span.bytes, at: &cursor) {
            tokens.append(token)
        }
        return tokens
    }

    private func reason(
        of bytes: [UInt8], _ limits: MessagePackReader.Limits
    ) -> MessagePackError.Reason? {
        do {
            _ = try tokens(of: bytes, limits)
            return nil
        } catch {
            return (error as? MessagePackError)?.reason
        }
    }
}
