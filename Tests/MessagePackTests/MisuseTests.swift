import MessagePack
import Testing

@Suite("What is a mistake of the program, MessagePack")
struct MisuseTests {
    @Test(arguments: 0..<3)
    func `a limit of nothing is taken, one below traps`(number: Int) async {
        Self.make(number, 0)
        await #expect(processExitsWith: .failure) { [number] in Self.make(number, -1) }
    }

    private static func make(_ number: Int, _ limit: Int) {
        switch number {
        case 0: _ = MessagePackReader.Limits(depthMax: limit)
        case 1: _ = MessagePackReader.Limits(elementsMax: limit)
        default: _ = MessagePackReader.Limits(bytesMax: limit)
        }
    }

    @Test(arguments: [-1, 2])
    func `a cursor outside of the input traps`(cursor: Int) async {
        await #expect(processExitsWith: .failure) { [cursor] in
            var reader = MessagePackReader()
            var position = cursor
            let bytes: [UInt8] = [0xc0]
            _ = try reader.next(in: bytes.span.bytes, at: &position)
        }
    }

    @Test func `a timestamp of a whole second more traps`() async {
        let last = MessagePackTimestamp(seconds: 1, nanoseconds: 999_999_999)
        #expect(last.nanoseconds == 999_999_999)
        await #expect(processExitsWith: .failure) {
            _ = MessagePackTimestamp(seconds: 1, nanoseconds: 1_000_000_000)
        }
        await #expect(processExitsWith: .failure) {
            var moment = MessagePackTimestamp(seconds: 1)
            moment.nanoseconds = 1_000_000_000
        }
    }

    private struct Torn: Encodable {
        func encode(to encoder: any Encoder) throws {
            var list = encoder.unkeyedContainer()
            try list.encode(1)
            var value = encoder.singleValueContainer()
            try value.encode(2)
        }
    }

    @Test func `a value that is encoded as two kinds traps`() async {
        await #expect(processExitsWith: .failure) { _ = try MessagePackEncoder().encode(Torn()) }
    }
}
