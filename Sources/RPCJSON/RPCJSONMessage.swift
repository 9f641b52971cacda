internal import FoundationEssentials
public import RPC

/// A message that is JSON on the wire, by `Codable`. Received, it has to be UTF-8, and a key of more
/// than 1,024 bytes plain ASCII.
///
///     struct HelloRequest: RPCJSONMessage {
///         var name: String
///     }
public protocol RPCJSONMessage: RPCMessage, Codable {}

extension RPCJSONMessage {
    /// Decodes the message; throws `DecodingError`.
    public init(decoding payload: RawSpan) throws {
        if let problem = payload.withUnsafeBytes({ JSONKeys.problem(with: $0) }) {
            throw DecodingError.dataCorrupted(.init(codingPath: [], debugDescription: problem))
        }
        let data = payload.withUnsafeBytes { Data($0) }
        self = try JSONDecoder().decode(Self.self, from: data)
    }

    /// Encodes the message; throws `EncodingError`.
    public func encode(to payload: inout PayloadWriter) throws {
        payload.append([UInt8](try JSONEncoder().encode(self)))
    }
}
