import HubWire
public import WSFrame

/// Longwire's envelopes as JSON text, for browsers and whoever has no MessagePack.
///
/// Written down in `PROTOCOL.md` beside the hub's source.
public struct JSONProtocol: EnvelopeProtocol {
    /// `longwire.v1.json`
    public static let name = "longwire.v1.json"

    /// ``name``
    public var subprotocol: String? { Self.name }

    /// Creates the protocol.
    public init() {}

    public func encode(_ envelope: ServerEnvelope) -> PreparedMessage? {
        PreparedMessage(JSONFields.write(envelope.fields).span.bytes, kind: .text)
    }

    public func decode(
        _ message: RawSpan, kind: MessageKind
    ) throws(ClientProtocolError) -> ClientEnvelope {
        try reading(kind, as: .text) { () throws(WireError) in
            try JSONFields.read(message)
        } make: { (fields) throws(WireError) in
            try ClientEnvelope(fields)
        }
    }

    public func encode(_ envelope: ClientEnvelope) -> (bytes: [UInt8], kind: MessageKind) {
        (JSONFields.write(envelope.fields), .text)
    }

    public func decodeAnswer(
        _ message: RawSpan, kind: MessageKind
    ) throws(ClientProtocolError) -> ServerEnvelope {
        try reading(kind, as: .text) { () throws(WireError) in
            try JSONFields.read(message)
        } make: { (fields) throws(WireError) in
            try ServerEnvelope(fields)
        }
    }
}
