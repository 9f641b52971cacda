import HubWire
public import WSFrame

/// Longwire's envelopes as MessagePack, for devices: the same as ``JSONProtocol``'s in about two
/// thirds of the bytes, and binary payloads as they are.
///
/// Written down in `PROTOCOL.md` beside the hub's source.
public struct MessagePackProtocol: EnvelopeProtocol {
    /// `longwire.v1.msgpack`
    public static let name = "longwire.v1.msgpack"

    /// ``name``
    public var subprotocol: String? { Self.name }

    /// Creates the protocol.
    public init() {}

    public func encode(_ envelope: ServerEnvelope) -> PreparedMessage? {
        PreparedMessage(MessagePackFields.write(envelope.fields).span.bytes, kind: .binary)
    }

    public func decode(
        _ message: RawSpan, kind: MessageKind
    ) throws(ClientProtocolError) -> ClientEnvelope {
        try reading(kind, as: .binary) { () throws(WireError) in
            try MessagePackFields.read(message)
        } make: { (fields) throws(WireError) in
            try ClientEnvelope(fields)
        }
    }

    public func encode(_ envelope: ClientEnvelope) -> (bytes: [UInt8], kind: MessageKind) {
        (MessagePackFields.write(envelope.fields), .binary)
    }

    public func decodeAnswer(
        _ message: RawSpan, kind: MessageKind
    ) throws(ClientProtocolError) -> ServerEnvelope {
        try reading(kind, as: .binary) { () throws(WireError) in
            try MessagePackFields.read(message)
        } make: { (fields) throws(WireError) in
            try ServerEnvelope(fields)
        }
    }
}

/// Reads a message of the one kind that a protocol has.
func reading<Envelope>(
    _ kind: MessageKind, as wanted: MessageKind, _ read: () throws(WireError) -> FieldSet,
    make: (FieldSet) throws(WireError) -> Envelope
) throws(ClientProtocolError) -> Envelope {
    guard kind == wanted else {
        throw ClientProtocolError(
            wanted == .text ? "text messages only" : "binary messages only",
            closeCode: .unsupportedData)
    }
    var id: UInt64?
    do throws(WireError) {
        let fields = try read()
        id = fields.optionalCount(.id)
        return try make(fields)
    } catch {
        id = id ?? error.id
        throw ClientProtocolError(
            error.reason,
            request: id.flatMap { UInt32(exactly: $0) }.map(RequestID.init(rawValue:)),
            closeCode: error.isSyntax ? .protocolError : nil)
    }
}
