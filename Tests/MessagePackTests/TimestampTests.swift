import MessagePack
import Testing

@Suite("MessagePackTimestamp by other coders")
struct TimestampTests {
    /// The decoder of a map, which knows nothing of what is decoded from it.
    private struct Plain: Decodable {
        let decoder: any Decoder

        init(from decoder: any Decoder) { self.decoder = decoder }
    }

    private func read(_ fields: [String: UInt64]) throws -> MessagePackTimestamp {
        let bytes = try MessagePackEncoder().encode(fields)
        let decoder = try MessagePackDecoder().decode(Plain.self, from: bytes).decoder
        return try MessagePackTimestamp(from: decoder)
    }

    @Test func `fields below a second are read`() throws {
        let moment = try read(["seconds": 7, "nanoseconds": 999_999_999])
        #expect(moment == MessagePackTimestamp(seconds: 7, nanoseconds: 999_999_999))
    }

    @Test(arguments: [1_000_000_000, 4_294_967_295] as [UInt64])
    func `a whole second more is refused`(nanoseconds: UInt64) {
        #expect(throws: DecodingError.self) {
            try read(["seconds": 0, "nanoseconds": nanoseconds])
        }
    }
}
