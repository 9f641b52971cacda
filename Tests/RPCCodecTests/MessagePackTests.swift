import MessagePack
import RPC
import RPCMessagePack
import Testing

private struct Note: RPCMessagePackMessage, Equatable {
    var text: String
    var data: [UInt8]
}

private enum Notes: RPCService {
    static let serviceName = "test.Notes"
    static let reverse = unary("Reverse", Note.self, Note.self)
}

@Suite("Messages in MessagePack")
struct MessagePackTests {
    @Test func `a call carries them both ways`() throws {
        var handlers = RPCHandlers()
        handlers.handle(Notes.reverse, on: .loop) { note, _ in
            Note(text: String(note.text.reversed()), data: note.data.reversed())
        }
        let world = try CallWorld(handlers)
        let reply = try world.run { connection in
            try await connection.call(Notes.reverse, Note(text: "aé", data: [1, 2]))
        }
        #expect(reply == Note(text: "éa", data: [2, 1]))
    }

    @Test func `bytes are those of the encoder`() throws {
        let encoded = try MessagePackEncoder().encode(Note(text: "a", data: [1]))
        #expect(try Note(decoding: encoded.span.bytes) == Note(text: "a", data: [1]))
    }

    @Test(arguments: [[], [0xc1], [0x80], [0x92, 1]] as [[UInt8]])
    func `what is no MessagePack of that message is refused`(bytes: [UInt8]) {
        #expect(throws: (any Error).self) { try Note(decoding: bytes.span.bytes) }
    }
}
