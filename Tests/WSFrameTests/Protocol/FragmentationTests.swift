import Testing
import WSFrame

@Suite("Fragmentation, RFC 6455 §5.4")
struct FragmentationTests {
    @Test(arguments: 1...9)
    func `a message in several frames is delivered as one`(frames: Int) {
        let payload = (0..<1000).map { UInt8(truncatingIfNeeded: $0) }
        var bytes: [UInt8] = []
        for index in 0..<frames {
            let range = (1000 * index / frames)..<(1000 * (index + 1) / frames)
            bytes += ClientFrames.frame(
                index == 0 ? .binary : .continuation,
                Array(payload[range]),
                isFinal: index == frames - 1,
                key: MaskingKey(UInt8(index), 2, 3, 4)
            )
        }
        #expect(events(of: bytes) == [.message(.binary, payload)])
    }

    @Test func `control frames may come between the frames of a message`() {
        let bytes =
            ClientFrames.text("one ", isFinal: false) + ClientFrames.frame(.ping, [1])
            + ClientFrames.frame(.continuation, Array("two ".utf8), isFinal: false)
            + ClientFrames.frame(.pong, [2])
            + ClientFrames.frame(.continuation, Array("three".utf8))
        #expect(events(of: bytes) == [.ping([1]), .pong([2]), .text("one two three")])
    }

    @Test func `frames of a message may be empty`() {
        let bytes =
            ClientFrames.text("", isFinal: false)
            + ClientFrames.frame(.continuation, [], isFinal: false)
            + ClientFrames.frame(.continuation, [])
        #expect(events(of: bytes) == [.text("")])
    }

    @Test(arguments: [true, false])
    func `a continuation outside a message fails with 1002`(isFinal: Bool) throws {
        let before = ClientFrames.text("whole")
        let bytes = before + ClientFrames.frame(.continuation, [1], isFinal: isFinal)
        let error = try #require(violation(in: bytes))
        #expect(error.reason == .unexpectedContinuation)
        #expect(error.closeCode == .protocolError)
    }

    @Test(arguments: [.text, .binary] as [Opcode], [true, false])
    func `a new message inside an unfinished one fails with 1002`(
        opcode: Opcode, isFinal: Bool
    ) throws {
        let bytes =
            ClientFrames.text("begun", isFinal: false)
            + ClientFrames.frame(opcode, [0x61], isFinal: isFinal)
        let error = try #require(violation(in: bytes))
        #expect(error.reason == .unfinishedMessage)
        #expect(error.closeCode == .protocolError)
    }

    @Test func `a character may be cut by a frame`() {
        let text = Array("añ語🙂".utf8)
        var bytes = ClientFrames.frame(.text, [text[0]], isFinal: false)
        for index in 1..<text.count {
            bytes += ClientFrames.frame(
                .continuation, [text[index]], isFinal: index == text.count - 1)
        }
        #expect(events(of: bytes) == [.text("añ語🙂")])
    }
}

@Suite("Text, RFC 6455 §8.1")
struct TextTests {
    @Test(arguments: [[0xFF], [0xC3], [0xED, 0xA0, 0x80], [0x61, 0x80]] as [[UInt8]])
    func `text that is not UTF-8 fails with 1007`(payload: [UInt8]) throws {
        let error = try #require(violation(in: ClientFrames.frame(.text, payload)))
        #expect(error.reason == .invalidText)
        #expect(error.closeCode == .invalidPayload)
    }

    @Test func `the same bytes are fine as binary`() {
        let bytes = ClientFrames.frame(.binary, [0xFF, 0xC3])
        #expect(events(of: bytes) == [.message(.binary, [0xFF, 0xC3])])
    }

    @Test func `the first bad byte fails before the frame is complete`() {
        let payload = Array("good".utf8) + [0xF5] + [UInt8](repeating: 0x61, count: 500)
        let bytes = ClientFrames.frame(.text, payload)
        let observer = Observer()
        #expect(observer.receive(Array(bytes[..<12])).isEmpty)
        #expect(observer.receive([bytes[12]]) == [.violation(.invalidText)])
    }

    @Test func `a bad byte fails before the message is complete`() {
        let bytes = ClientFrames.frame(.text, [0x61, 0xC0], isFinal: false)
        #expect(events(of: bytes) == [.violation(.invalidText)])
    }

    @Test func `a message that ends inside a character fails`() {
        let bytes =
            ClientFrames.frame(.text, [0xE8], isFinal: false)
            + ClientFrames.frame(.continuation, [0xAA])
        #expect(events(of: bytes) == [.violation(.invalidText)])
    }
}
