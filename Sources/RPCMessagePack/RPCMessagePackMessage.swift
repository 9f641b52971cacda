internal import MessagePack
public import RPC

/// A message that is MessagePack on the wire, by `Codable`.
///
///     struct HelloRequest: RPCMessagePackMessage {
///         var name: String
///     }
public protocol RPCMessagePackMessage: RPCMessage, Codable {}

extension RPCMessagePackMessage {
    /// Decodes the message; throws ``/MessagePack/MessagePackError`` and `DecodingError`.
    public init(decoding payload: RawSpan) throws {
        self = try MessagePackDecoder().decode(Self.self, from: payload)
    }

    /// Encodes the message; throws `EncodingError`.
    public func encode(to payload: inout PayloadWriter) throws {
        payload.append(try MessagePackEncoder().encode(self))
    }
}
