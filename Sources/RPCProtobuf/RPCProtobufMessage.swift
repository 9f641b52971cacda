public import RPC
public import SwiftProtobuf

/// A message that swift-protobuf generated the type of, and protobuf on the wire.
///
///     extension Greet_HelloRequest: RPCProtobufMessage {}
public protocol RPCProtobufMessage: RPCMessage, SwiftProtobuf.Message {}

extension RPCProtobufMessage {
    /// Decodes the message; throws `BinaryDecodingError`.
    public init(decoding payload: RawSpan) throws {
        try self.init(serializedBytes: payload.withUnsafeBytes { Array($0) })
    }

    /// Encodes the message; throws `BinaryEncodingError`.
    public func encode(to payload: inout PayloadWriter) throws {
        payload.append(try serializedBytes() as [UInt8])
    }
}
