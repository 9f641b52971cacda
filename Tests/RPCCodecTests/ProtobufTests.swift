public import RPC
public import RPCProtobuf
public import SwiftProtobuf
import Testing

extension Google_Protobuf_StringValue: RPCMessage {}
extension Google_Protobuf_StringValue: RPCProtobufMessage {}
extension Google_Protobuf_Timestamp: RPCMessage {}
extension Google_Protobuf_Timestamp: RPCProtobufMessage {}

private enum Clock: RPCService {
    static let serviceName = "test.Clock"
    static let parse = unary(
        "Parse", Google_Protobuf_StringValue.self, Google_Protobuf_Timestamp.self)
}

@Suite("Messages of swift-protobuf")
struct ProtobufTests {
    @Test func `a call carries them both ways`() throws {
        var handlers = RPCHandlers()
        handlers.handle(Clock.parse, on: .loop) { text, _ in
            Google_Protobuf_Timestamp(seconds: Int64(text.value) ?? 0, nanos: 7)
        }
        let world = try CallWorld(handlers)
        let reply = try world.run { connection in
            try await connection.call(Clock.parse, Google_Protobuf_StringValue("1234567890123"))
        }
        #expect(reply == Google_Protobuf_Timestamp(seconds: 1_234_567_890_123, nanos: 7))
    }

    @Test func `a message is its wire format and nothing else`() throws {
        // Field 1, varint 300; field 2, varint 7.
        let bytes: [UInt8] = [0x08, 0xac, 0x02, 0x10, 0x07]
        let read = try Google_Protobuf_Timestamp(decoding: bytes.span.bytes)
        #expect(read == Google_Protobuf_Timestamp(seconds: 300, nanos: 7))
    }

    @Test(arguments: [[0x08], [0x0a, 0xff, 0x01], [0xff]] as [[UInt8]])
    func `what is no protobuf is refused`(bytes: [UInt8]) {
        #expect(throws: (any Error).self) {
            try Google_Protobuf_Timestamp(decoding: bytes.span.bytes)
        }
    }
}
