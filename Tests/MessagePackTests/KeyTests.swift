import MessagePack
import Testing

/// Marks that stand in another order than the canonical one: what compares text by canonical
/// equivalence sorts them, in time that grows with the square of their number. With 2 million of
/// them that would not end within the suite's limit.
@Suite("Keys of maps, MessagePack", .timeLimit(.minutes(1)))
struct KeyTests {
    private static let marks = "a" + String(repeating: "\u{301}\u{323}", count: 1 << 20)

    private struct Note: Codable, Equatable {
        var text: String?
    }

    private enum Choice: Codable, Equatable {
        case text(String)
    }

    /// A map of these keys, each with a number.
    private func map(_ keys: [String]) -> [UInt8] {
        var writer = MessagePackWriter()
        writer.writeMapHead(count: keys.count)
        for (number, key) in keys.enumerated() {
            writer.write(key)
            writer.write(number)
        }
        return writer.bytes
    }

    private func isRefused(_ bytes: [UInt8], as type: (some Decodable).Type) -> Bool {
        do {
            _ = try MessagePackDecoder().decode(type, from: bytes)
            return false
        } catch DecodingError.dataCorrupted {
            return true
        } catch {
            return false
        }
    }

    @Test func `a key of a million marks is refused, whoever looks at it`() {
        #expect(isRefused(map([Self.marks]), as: Note.self))
        #expect(isRefused(map([Self.marks]), as: Choice.self))
        #expect(isRefused(map([Self.marks]), as: [String: Int].self))
    }

    @Test func `a key of more than a kibibyte has to be ASCII`() throws {
        let ascii = String(repeating: "a", count: 100_000)
        let most = String(repeating: "é", count: 512)
        let read = try MessagePackDecoder().decode([String: Int].self, from: map([ascii, most]))
        #expect(read == [ascii: 0, most: 1])
        #expect(isRefused(map([most + "a"]), as: [String: Int].self))
    }

    @Test func `keys are what their bytes are`() throws {
        struct Both: Decodable, Equatable {
            var one: Int
            var other: Int?

            enum CodingKeys: String, CodingKey {
                case one = "\u{e9}"
                case other = "e\u{301}"
            }

            init(from decoder: any Decoder) throws {
                let map = try decoder.container(keyedBy: CodingKeys.self)
                one = try map.decode(Int.self, forKey: .one)
                other = try map.decodeIfPresent(Int.self, forKey: .other)
            }
        }
        let both = try MessagePackDecoder().decode(Both.self, from: map(["e\u{301}", "\u{e9}"]))
        #expect((both.one, both.other) == (1, 0))
        let one = try MessagePackDecoder().decode(Both.self, from: map(["\u{e9}"]))
        #expect((one.one, one.other) == (0, nil))
    }
}
