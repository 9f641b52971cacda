import Testing
import WSFrame

@Suite("ServerProtocol")
struct ServerProtocolTests {
    @Test func `its state takes at most 48 bytes`() {
        #expect(MemoryLayout<ServerProtocol>.size <= 48)
        #expect(MemoryLayout<FrameDecoder>.size <= 24)
    }

    @Test(arguments: [0, 1, 125, 126, 65535, 65536, 200_000])
    func `a whole message stays where it lies`(count: Int) {
        let observer = Observer()
        observer.receive(ClientFrames.frame(.binary, [UInt8](repeating: 1, count: count)))
        #expect(observer.inPlace == 1 && observer.kept == 0)
    }

    @Test func `a message cut by the input is kept until it is whole`() {
        let observer = Observer()
        let bytes = ClientFrames.text("cut in two")
        #expect(observer.receive(Array(bytes[..<9])).isEmpty)
        #expect(observer.receive(Array(bytes[9...])) == [.text("cut in two")])
        #expect(observer.inPlace == 0 && observer.kept == 1)
        observer.receive(bytes)
        #expect(observer.inPlace == 1 && observer.kept == 1)
    }

    @Test func `a message behind a cut header stays where it lies`() {
        let observer = Observer()
        let bytes = ClientFrames.text("whole")
        #expect(observer.receive(Array(bytes[..<6])).isEmpty)
        observer.receive(Array(bytes[6...]))
        #expect(observer.observed == [.text("whole")])
    }

    @Test func `the input may begin with other bytes`() throws {
        var state = ServerProtocol(configuration: ProtocolConfiguration())
        var bytes = Array("GET /".utf8) + ClientFrames.text("after the head")
        var span = bytes.mutableSpan
        var raw = span.mutableBytes
        var cursor = 5
        let event = try state.next(in: &raw, at: &cursor)
        #expect(event == .message(.text, .input(11..<25)))
        #expect(cursor == 25)
        let first = raw.unsafeLoad(fromByteOffset: 11, as: UInt8.self)
        #expect(first == UInt8(ascii: "a"))
    }

    @Test func `asking for a kept payload that is not there traps`() async {
        await #expect(processExitsWith: .failure) {
            let state = ServerProtocol(configuration: ProtocolConfiguration())
            _ = state.keptPayload
        }
    }

    @Test func `a kept payload lives until the next call`() throws {
        var state = ServerProtocol(configuration: ProtocolConfiguration())
        let bytes = ClientFrames.text("kept")
        for (range, expected) in [(0..<8, nil), (8..<10, "kept")] as [(Range<Int>, String?)] {
            var piece = Array(bytes[range])
            var span = piece.mutableSpan
            var raw = span.mutableBytes
            var cursor = 0
            let event = try state.next(in: &raw, at: &cursor)
            #expect((event == nil) == (expected == nil))
            guard let expected else { continue }
            let onClose = state.closeRequested()
            #expect(onClose == .send)
            #expect(String(decoding: state.keptPayload, as: UTF8.self) == expected)
        }
    }
}
