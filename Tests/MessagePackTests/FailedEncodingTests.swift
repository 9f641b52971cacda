import MessagePack
import Testing

@Suite("Values that fail or come twice, MessagePack")
struct FailedEncodingTests {
    private struct Unwritable: Encodable {
        struct Reason: Error {}

        func encode(to encoder: any Encoder) throws {
            var map = encoder.container(keyedBy: Key.self)
            try map.encode(1, forKey: .first)
            throw Reason()
        }
    }

    private enum Key: String, CodingKey {
        case first, second
    }

    /// Encodes itself with a closure.
    private struct Value: Encodable {
        var body: (any Encoder) throws -> Void

        init(_ body: @escaping (any Encoder) throws -> Void) { self.body = body }

        func encode(to encoder: any Encoder) throws { try body(encoder) }
    }

    private func encoded(_ body: @escaping (any Encoder) throws -> Void) throws -> [UInt8] {
        try MessagePackEncoder().encode(Value(body))
    }

    private func read(_ body: @escaping (any Encoder) throws -> Void) throws -> [String: Int] {
        try MessagePackDecoder().decode([String: Int].self, from: encoded(body))
    }

    private func failing(_ body: () throws -> Void) {
        #expect(throws: Unwritable.Reason.self, performing: body)
    }

    @Test func `a pair whose value fails is not written`() throws {
        let read = try read { encoder in
            var map = encoder.container(keyedBy: Key.self)
            failing { try map.encode(Unwritable(), forKey: .first) }
            try map.encode(2, forKey: .second)
        }
        #expect(read == ["second": 2])
    }

    @Test func `another value may follow one that failed`() throws {
        let read = try read { encoder in
            var map = encoder.container(keyedBy: Key.self)
            failing { try map.encode(Unwritable(), forKey: .first) }
            try map.encode(2, forKey: .first)
        }
        #expect(read == ["first": 2])
        let single = try encoded { encoder in
            var value = encoder.singleValueContainer()
            failing { try value.encode(Unwritable()) }
            try value.encodeNil()
        }
        #expect(single == [0xc0])
    }

    @Test func `a value that failed alone is nothing`() {
        #expect(throws: EncodingError.self) {
            try encoded { encoder in
                var value = encoder.singleValueContainer()
                failing { try value.encode(Unwritable()) }
            }
        }
    }

    @Test func `of two values of one key the last counts`() throws {
        let read = try read { encoder in
            var map = encoder.container(keyedBy: Key.self)
            try map.encode("gone", forKey: .first)
            var other = encoder.container(keyedBy: Key.self)
            try other.encode(2, forKey: .second)
            try other.encode(3, forKey: .first)
            try map.encode(4, forKey: .second)
        }
        #expect(read == ["first": 3, "second": 4])
    }

    @Test func `containers of a key that comes again are gone too`() throws {
        let bytes = try encoded { encoder in
            var map = encoder.container(keyedBy: Key.self)
            var gone = map.nestedUnkeyedContainer(forKey: .first)
            try gone.encode(1)
            var stays = map.nestedUnkeyedContainer(forKey: .second)
            try stays.encode(2)
            try map.encode([3], forKey: .first)
            try gone.encode(1)
            try stays.encode(4)
        }
        let read = try MessagePackDecoder().decode([String: [Int]].self, from: bytes)
        #expect(read == ["first": [3], "second": [2, 4]])
    }

    /// Beside the first sixteen keys, which are found otherwise than those that follow.
    @Test(arguments: [1, 15, 16, 17, 18, 40])
    func `each of so many keys may come again`(count: Int) throws {
        struct Name: CodingKey {
            var stringValue: String
            var intValue: Int? { nil }

            init(_ number: Int) { stringValue = "key \(number)" }
            init?(stringValue: String) { self.stringValue = stringValue }
            init?(intValue: Int) { nil }
        }
        for again in 0..<count {
            let read = try read { encoder in
                var map = encoder.container(keyedBy: Name.self)
                for number in 0..<count { try map.encode(number, forKey: Name(number)) }
                for _ in 0..<2 { try map.encode(1_000, forKey: Name(again)) }
                try map.encode(2_000, forKey: Name(count))
                try map.encode(3_000, forKey: Name(0))
            }
            #expect(read.count == count + 1)
            for number in 1..<max(1, count) {
                #expect(read["key \(number)"] == (number == again ? 1_000 : number))
            }
            #expect(read["key 0"] == 3_000 && read["key \(count)"] == 2_000)
        }
    }
}
