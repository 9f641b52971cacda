import Testing
import WSFrame

@Suite("Control frames, RFC 6455 §5.5")
struct ControlFrameTests {
    @Test(arguments: [0, 1, 124, 125])
    func `a ping or pong of up to 125 bytes is reported`(count: Int) {
        let payload = (0..<count).map { UInt8($0) }
        #expect(events(of: ClientFrames.frame(.ping, payload)) == [.ping(payload)])
        #expect(events(of: ClientFrames.frame(.pong, payload)) == [.pong(payload)])
    }

    @Test(
        arguments: [.close, .ping, .pong] as [Opcode], [(126, 2), (65536, 8)] as [(UInt64, Int)])
    func `a longer one fails with 1002`(opcode: Opcode, length: (UInt64, Int)) throws {
        let header = ClientFrames.header(
            first: 0x80 | opcode.rawValue, length: length.0, lengthBytes: length.1)
        let error = try #require(violation(in: header))
        #expect(error.reason == .oversizedControlFrame)
        #expect(error.closeCode == .protocolError)
    }

    @Test(arguments: [.close, .ping, .pong] as [Opcode])
    func `a fragmented one fails with 1002`(opcode: Opcode) throws {
        let error = try #require(violation(in: ClientFrames.frame(opcode, isFinal: false)))
        #expect(error.reason == .fragmentedControlFrame)
        #expect(error.closeCode == .protocolError)
    }
}

@Suite("Close frames, RFC 6455 §5.5.1 and §7.4")
struct PeerCloseTests {
    @Test func `a close frame without a payload has no code`() {
        #expect(events(of: ClientFrames.frame(.close)) == [.close(nil, [], .echo)])
    }

    @Test(
        arguments: [
            1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999,
            4000,
            4999,
        ] as [UInt16])
    func `a code for the wire is accepted`(code: UInt16) {
        let bytes = ClientFrames.close(code, reason: Array("why: é".utf8))
        let expected = CloseCode(rawValue: code)
        #expect(expected.isValidOnWire)
        #expect(events(of: bytes) == [.close(expected, Array("why: é".utf8), .echo)])
    }

    @Test(
        arguments: [
            0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535,
        ] as [UInt16])
    func `a reserved or unknown code fails with 1002`(code: UInt16) throws {
        #expect(!CloseCode(rawValue: code).isValidOnWire)
        let error = try #require(violation(in: ClientFrames.close(code)))
        #expect(error.reason == .invalidCloseCode(CloseCode(rawValue: code)))
        #expect(error.closeCode == .protocolError)
    }

    @Test func `a payload of one byte fails with 1002`() throws {
        let error = try #require(violation(in: ClientFrames.frame(.close, [3])))
        #expect(error.reason == .truncatedCloseCode)
        #expect(error.closeCode == .protocolError)
    }

    @Test(arguments: [[0xFF], [0xC3], [0x61, 0xE2, 0x82]] as [[UInt8]])
    func `a reason that is not UTF-8 fails with 1007`(reason: [UInt8]) throws {
        let error = try #require(violation(in: ClientFrames.close(1000, reason: reason)))
        #expect(error.reason == .invalidCloseReason)
        #expect(error.closeCode == .invalidPayload)
    }

    @Test func `a reason may fill the frame`() {
        let reason = [UInt8](repeating: 0x61, count: 123)
        let bytes = ClientFrames.close(1000, reason: reason)
        #expect(events(of: bytes) == [.close(.normal, reason, .echo)])
        #expect(events(of: bytes, pieceBytes: 50) == [.close(.normal, reason, .echo)])
    }
}

@Suite("Closing handshake, RFC 6455 §7.1")
struct ClosingHandshakeTests {
    @Test func `the peer that closes first is echoed once`() {
        let observer = Observer()
        #expect(observer.maySend && observer.closeInitiator == nil)
        #expect(observer.receive(ClientFrames.close(1001)) == [.close(.goingAway, [], .echo)])
        #expect(!observer.maySend)
        #expect(observer.isClosed)
        #expect(observer.closeInitiator == .peer)
        #expect(observer.closeRequested() == .ignore)
        #expect(observer.receive(ClientFrames.close(1001)).isEmpty)
    }

    @Test func `closing first waits for the peer's answer`() {
        let observer = Observer()
        #expect(observer.closeRequested() == .send)
        #expect(!observer.maySend)
        #expect(!observer.isClosed)
        #expect(observer.closeRequested() == .ignore)
        #expect(observer.receive(ClientFrames.text("late")) == [.text("late")])
        #expect(observer.receive(ClientFrames.close(1000)) == [.close(.normal, [], .finish)])
        #expect(observer.isClosed)
        #expect(observer.closeInitiator == .here)
    }

    @Test func `what follows the peer's close frame is discarded`() {
        let bytes = ClientFrames.close(1000) + ClientFrames.text("no") + [0xFF, 0xFF, 0x00]
        let observer = Observer()
        #expect(observer.receive(bytes) == [.close(.normal, [], .echo)])
        #expect(observer.receive(bytes).isEmpty)
    }

    @Test func `a violation allows one close frame and discards the rest`() {
        let observer = Observer()
        let bytes = [0x83, 0x80, 0, 0, 0, 0] + ClientFrames.text("no")
        #expect(observer.receive(bytes).count == 1)
        #expect(!observer.maySend)
        #expect(observer.receive(ClientFrames.text("no")).isEmpty)
        #expect(observer.closeRequested() == .send)
        #expect(observer.closeRequested() == .ignore)
        #expect(observer.isClosed)
    }

    @Test func `a violation after our close frame sends no second one`() {
        let observer = Observer()
        #expect(observer.closeRequested() == .send)
        #expect(observer.receive([0x83, 0x80]).count == 1)
        #expect(observer.closeRequested() == .ignore)
        #expect(observer.isClosed)
    }

    @Test func `a violation in text on the fast path is one too`() {
        let observer = Observer()
        let bytes = ClientFrames.frame(.text, [0xFF, 0xFF, 0xFF]) + ClientFrames.text("no")
        #expect(observer.receive(bytes) == [.violation(.invalidText)])
        #expect(observer.receive(bytes).isEmpty)
        #expect(observer.closeRequested() == .send)
    }

    @Test func `a close frame drops an unfinished message`() {
        let bytes = ClientFrames.text("half", isFinal: false) + ClientFrames.close(1000)
        #expect(events(of: bytes) == [.close(.normal, [], .echo)])
    }
}
