internal import FoundationEssentials
public import RPC

/// A message that is JSON on the wire, by `Codable`.
///
///     struct HelloRequest: RPCJSONMessage {
///         var name: String
///     }
public protocol RPCJSONMessage: RPCMessage, Codable {}

extension RPCJSONMessage {
    /// Decodes the message; throws `DecodingError`.
    public init(decoding payload: RawSpan) throws {
        let data = payload.withUnsafeBytes { Data($0) }
        self = try JSONDecoder().decode(Self.self, from: data)
    }

    /// Encodes the message; throws `EncodingError`.
    public func encode(to payload: inout PayloadWriter) throws {
        payload.append([UInt8](try JSONEncoder().encode(self)))
    }
}
