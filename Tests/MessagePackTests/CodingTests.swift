import MessagePack
import Testing

@Suite("MessagePackEncoder and MessagePackDecoder")
struct CodingTests {
    struct Everything: Codable, Equatable {
        var flag = true
        var small: Int8 = -3
        var large = UInt64.max
        var ratio = 0.5
        var narrow: Float = 1.25
        var text = "grüße"
        var data: [UInt8] = [1, 2, 3]
        var nothing: Int?
        var list: [Int?] = [1, nil, 3]
        var table: [String: [Double]] = ["a": [1], "b": []]
        var numbered: [Int: String] = [7: "seven", -1: "minus one"]
        var moment = MessagePackTimestamp(seconds: 5, nanoseconds: 6)
        var own = MessagePackExtension(type: 3, bytes: [9])
        var nested = Nested(name: "x")
        var choice = Choice.pair(1, "b")
    }

    struct Nested: Codable, Equatable {
        var name: String
        var more: [Nested] = []
    }

    enum Choice: Codable, Equatable {
        case none
        case pair(Int, String)
    }

    @Test func `everything comes back`() throws {
        var value = Everything()
        value.nested.more = [Nested(name: "y", more: [Nested(name: "z")])]
        let bytes = try MessagePackEncoder().encode(value)
        #expect(try MessagePackDecoder().decode(Everything.self, from: bytes) == value)
    }

    @Test func `a structure is a map with text keys in order`() throws {
        let bytes = try MessagePackEncoder().encode(Nested(name: "a"))
        #expect(
            bytes == [0x82, 0xa4] + Array("name".utf8) + [0xa1, 0x61, 0xa4] + Array("more".utf8) + [
                0x90
            ])
    }

    @Test func `bytes are bytes and lists are arrays`() throws {
        #expect(try MessagePackEncoder().encode([1, 2] as [UInt8]) == [0xc4, 2, 1, 2])
        #expect(try MessagePackEncoder().encode([1, 2] as [Int]) == [0x92, 1, 2])
        #expect(try MessagePackEncoder().encode([] as [Int]) == [0x90])
        #expect(try MessagePackDecoder().decode([UInt8].self, from: [0x92, 1, 2]) == [1, 2])
    }

    @Test func `scalars stand alone`() throws {
        #expect(try MessagePackEncoder().encode(Int?.none) == [0xc0])
        #expect(try MessagePackEncoder().encode("a") == [0xa1, 0x61])
        #expect(try MessagePackDecoder().decode(Int?.self, from: [0xc0]) == nil)
        #expect(try MessagePackDecoder().decode(Int?.self, from: [7]) == 7)
        #expect(
            try MessagePackDecoder().decode(UInt16.self, from: [0xd3, 0, 0, 0, 0, 0, 0, 0, 7]) == 7)
    }

    @Test func `floating point takes exact integers and rounds doubles`() throws {
        #expect(try MessagePackDecoder().decode(Double.self, from: [3]) == 3)
        let tenth = try MessagePackEncoder().encode(0.1)
        #expect(try MessagePackDecoder().decode(Float.self, from: tenth) == 0.1)
        let huge = try MessagePackEncoder().encode(1e300)
        #expect(throws: DecodingError.self) {
            try MessagePackDecoder().decode(Float.self, from: huge)
        }
        let odd = try MessagePackEncoder().encode(Int64.max)
        #expect(throws: DecodingError.self) {
            try MessagePackDecoder().decode(Double.self, from: odd)
        }
    }

    @Test(
        arguments: [
            [0xd1, 0x01, 0x00], [0xcc, 0x80], [0xc0], [0xa1, 0x61], [0xca, 0, 0, 0, 0],
        ] as [[UInt8]])
    func `what is no small integer is refused`(bytes: [UInt8]) {
        #expect(throws: DecodingError.self) {
            try MessagePackDecoder().decode(Int8.self, from: bytes)
        }
    }

    @Test func `keys may be integers, unknown ones are passed over, doubles refused`() throws {
        enum Key: Int, CodingKey {
            case name = 1
            case more = 2
        }
        struct Numbered: Decodable {
            let name: String
            init(from decoder: any Decoder) throws {
                name = try decoder.container(keyedBy: Key.self).decode(String.self, forKey: .name)
            }
        }
        let bytes: [UInt8] = [0x83, 0x90, 0x91, 1, 1, 0xa1, 0x61, 5, 0xc0]
        #expect(try MessagePackDecoder().decode(Numbered.self, from: bytes).name == "a")
        #expect(throws: DecodingError.self) {
            try MessagePackDecoder().decode(
                [String: Int].self, from: [0x82, 0xa1, 0x61, 1, 0xa1, 0x61, 2])
        }
    }

    @Test func `nested containers may be written in turns`() throws {
        struct Interleaved: Encodable {
            enum Key: String, CodingKey {
                case first, second, third
            }
            func encode(to encoder: any Encoder) throws {
                var map = encoder.container(keyedBy: Key.self)
                var first = map.nestedUnkeyedContainer(forKey: .first)
                try first.encode(1)
                try map.encode("s", forKey: .second)
                try first.encode(2)
                var third = map.nestedContainer(keyedBy: Key.self, forKey: .third)
                try third.encode(true, forKey: .first)
                try first.encode(3)
            }
        }
        struct Read: Decodable {
            let first: [Int]
            let second: String
            let third: [String: Bool]
        }
        let bytes = try MessagePackEncoder().encode(Interleaved())
        let read = try MessagePackDecoder().decode(Read.self, from: bytes)
        #expect(read.first == [1, 2, 3])
        #expect(read.second == "s")
        #expect(read.third == ["first": true])
    }

    @Test func `a superclass has a place of its own`() throws {
        let bytes = try MessagePackEncoder().encode(Derived(name: "a", count: 2))
        let read = try MessagePackDecoder().decode(Derived.self, from: bytes)
        #expect(read.name == "a")
        #expect(read.count == 2)
    }

    @Test(
        arguments: [
            ([], .truncated), ([0x92, 1], .truncated), ([1, 2], .trailingBytes),
            ([0xc1], .reservedFormat),
            ([UInt8](repeating: 0x91, count: 65), .oversizedDepth(limit: 64)),
        ] as [([UInt8], MessagePackError.Reason)])
    func `what is not one value is refused before anything is decoded`(
        bytes: [UInt8], reason: MessagePackError.Reason
    ) throws {
        let error = try #require(throws: MessagePackError.self) {
            try MessagePackDecoder().decode([Int].self, from: bytes)
        }
        #expect(error.reason == reason)
    }

    @Test func `text has to be UTF-8, and errors say where`() throws {
        let bytes: [UInt8] =
            [0x82, 0xa4] + Array("name".utf8) + [0xa1, 0x61, 0xa4]
            + Array("more".utf8) + [0x91, 0x81, 0xa4] + Array("name".utf8) + [0xa1, 0xff]
        let error = try #require(throws: DecodingError.self) {
            try MessagePackDecoder().decode(Nested.self, from: bytes)
        }
        guard case .dataCorrupted(let context) = error else {
            Issue.record("\(error)")
            return
        }
        #expect(context.codingPath.map(\.stringValue) == ["more", "0", "name"])
    }

    @Test func `limits are the decoder's`() throws {
        let decoder = MessagePackDecoder(limits: .init(elementsMax: 2))
        #expect(try decoder.decode([Int].self, from: [0x92, 1, 2]) == [1, 2])
        #expect(throws: MessagePackError.self) {
            try decoder.decode([Int].self, from: [0x93, 1, 2, 3])
        }
    }

    @Test func `a value that encodes nothing is an error`() {
        struct Nothing: Encodable {
            func encode(to encoder: any Encoder) {}
        }
        #expect(throws: EncodingError.self) { try MessagePackEncoder().encode(Nothing()) }
    }

    class Base: Codable {
        let name: String
        init(name: String) { self.name = name }
    }

    final class Derived: Base {
        let count: Int
        enum CodingKeys: CodingKey {
            case count
        }

        init(name: String, count: Int) {
            self.count = count
            super.init(name: name)
        }

        required init(from decoder: any Decoder) throws {
            let map = try decoder.container(keyedBy: CodingKeys.self)
            count = try map.decode(Int.self, forKey: .count)
            try super.init(from: map.superDecoder())
        }

        override func encode(to encoder: any Encoder) throws {
            var map = encoder.container(keyedBy: CodingKeys.self)
            try map.encode(count, forKey: .count)
            try super.encode(to: map.superEncoder())
        }
    }
}
