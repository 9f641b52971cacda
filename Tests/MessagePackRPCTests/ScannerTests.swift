import MessagePack
import Testing

@testable import MessagePackRPC

@Suite("MessageScanner")
struct ScannerTests {
    @Test func `the three kinds are told apart`() throws {
        let request: [UInt8] = [0x94, 0, 5, 0xa1, 0x66, 0x91, 1]
        let response: [UInt8] = [0x94, 1, 0xce, 0xff, 0xff, 0xff, 0xff, 0xc0, 0xa1, 0x72]
        let failure: [UInt8] = [0x94, 1, 5, 0xa1, 0x65, 0xc0]
        let notification: [UInt8] = [0x93, 2, 0xa1, 0x6e, 0x90]
        #expect(
            try messages(of: request + response + failure + notification) == [
                .request(id: 5, method: 4..<5, parameters: 5..<7),
                .response(id: .max, error: nil, result: 15..<17),
                .response(id: 5, error: 20..<22, result: 22..<23),
                .notification(method: 26..<27, parameters: 27..<28),
            ])
    }

    @Test func `a message comes in pieces of any length`() throws {
        let bytes: [UInt8] = [0x94, 0, 5, 0xa1, 0x66, 0x91, 0x81, 0xa1, 0x61, 0xcd, 1, 2]
        var scanner = MessageScanner(messageBytesMax: 12, limits: .init())
        var cursor = 0
        for count in 0..<bytes.count {
            let piece = Array(bytes[..<count])
            #expect(try scanner.next(in: piece.span.bytes, at: &cursor) == nil)
            #expect(cursor == 0)
        }
        #expect(
            try scanner.next(in: bytes.span.bytes, at: &cursor)
                == .request(id: 5, method: 4..<5, parameters: 5..<12))
        #expect(cursor == 12)
    }

    @Test(
        arguments: [
            ([0x01], 0), ([0x90], 0), ([0x94, 3, 1, 0xc0, 0xc0], 0), ([0x93, 0, 1, 0xa0], 0),
            ([0x94, 2, 0xa0, 0x90, 0xc0], 0), ([0x94, 0, 0xff, 0xa0, 0x90], 1),
            ([0x94, 1, 0xcf, 0, 0, 0, 1, 0, 0, 0, 0, 0xc0, 0xc0], 1),
            ([0x94, 0, 1, 0xc4, 0, 0x90], 2),
            ([0x94, 0, 1, 0xa0, 0x80], 3), ([0x93, 2, 0xa0, 0xc0], 2), ([0x93, 2, 1, 0x90], 1),
        ] as [([UInt8], Int)])
    func `what is no message is refused with the place`(bytes: [UInt8], place: Int) throws {
        let violation = try #require(throws: MessageViolation.self) { try messages(of: bytes) }
        #expect(violation == .unexpected(place: place))
    }

    @Test func `what is no MessagePack is refused`() throws {
        let violation = try #require(throws: MessageViolation.self) { try messages(of: [0xc1]) }
        guard case .malformed = violation else {
            Issue.record("\(violation)")
            return
        }
    }

    @Test func `the length is bounded, and what is announced counts`() throws {
        let bytes: [UInt8] = [0x93, 2, 0xa1, 0x6e, 0x91, 0xa2, 0x61, 0x61]
        #expect(try messages(of: bytes, bytesMax: 8).count == 1)
        #expect(throws: MessageViolation.oversized(limit: 7)) {
            try messages(of: bytes, bytesMax: 7)
        }
        // Three of a hundred bytes are there.
        #expect(throws: MessageViolation.oversized(limit: 99)) {
            try messages(of: [0x93, 2, 0xd9, 97, 0x61], bytesMax: 99)
        }
    }

    private func messages(of bytes: [UInt8], bytesMax: Int = 1_000) throws -> [WireMessage] {
        var scanner = MessageScanner(messageBytesMax: bytesMax, limits: .init())
        var cursor = 0
        var messages: [WireMessage] = []
        while let message = try scanner.next(in: bytes.span.bytes, at: &cursor) {
            messages.append(message)
        }
        return messages
    }
}

@Suite("CallSlots")
struct CallSlotsTests {
    @Test func `an answer finds its call once`() throws {
        var slots = CallSlots<String>(callsMax: 2)
        let opened = (slots.open("a"), slots.open("b"))
        let (first, second) = (try #require(opened.0), try #require(opened.1))
        #expect(slots.open("c") == nil)
        #expect(slots.take(second) == "b")
        #expect(slots.take(second) == nil)
        #expect(slots.take(first) == "a")
        #expect(slots.count == 0)
    }

    @Test func `an id is not used again for long`() throws {
        var slots = CallSlots<Int>(callsMax: 4)
        var seen: Set<UInt32> = []
        for number in 0..<4 * 65_536 {
            let opened = slots.open(number)
            let id = try #require(opened)
            #expect(seen.insert(id).inserted)
            #expect(slots.take(id) == number)
        }
        let again = slots.open(0)
        #expect(again.map { seen.contains($0) } == true)
    }

    @Test func `an unknown id is no call's`() {
        var slots = CallSlots<Int>(callsMax: 4)
        #expect(slots.open(7) == 0)
        #expect(slots.take(1) == nil)
        #expect(slots.take(0x1_0000) == nil)
        #expect(slots.takeAll() == [7])
        #expect(slots.takeAll().isEmpty)
    }

    @Test(arguments: [0, 65_537])
    func `a bound that no id has room for traps`(callsMax: Int) async {
        await #expect(processExitsWith: .failure) { [callsMax] in
            _ = CallSlots<Int>(callsMax: callsMax)
        }
    }
}
