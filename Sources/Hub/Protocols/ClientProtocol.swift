public import WSFrame

/// How the hub's messages are framed for a client, and a client's for the hub.
///
/// A value without state: one is shared by all sessions that speak it, on all loops. The hub encodes
/// a publication once for each protocol that subscribers of its topic speak, and shares the frame.
///
/// Rules that every implementation keeps, and that `ClientProtocolSuite` of HubTesting checks:
///
/// - Encoding is a function of its argument, so that all subscribers see the same bytes.
/// - Text frames are UTF-8. A payload that is ``Payload/Format/json`` may be taken to be valid.
/// - Decoding bounds its own work: it takes time and memory in proportion to the message, which the
///   hub has bounded by ``HubConfiguration/messageBytesMax``, and limits depth of nesting and counts
///   by itself. Whatever bytes come, it returns or throws.
/// - Decoding an envelope and encoding it give the same meaning: no field is lost that the protocol
///   has a place for.
public protocol ClientProtocol: Sendable {
    /// The name by which clients ask for it (`Sec-WebSocket-Protocol`, RFC 6455 §11.3.4), with its
    /// version; `nil` for the one given to clients that ask for none.
    var subprotocol: String? { get }

    /// Frames what the hub has to say.
    ///
    /// - Returns: The frame; `nil` where the protocol has no word for it, and the client is told
    ///   nothing.
    func encode(_ envelope: ServerEnvelope) -> PreparedMessage?

    /// Reads what a client says.
    ///
    /// - Parameters:
    ///   - message: Lent for the call; text has been checked to be UTF-8.
    ///   - kind: Text or binary.
    /// - Returns: What it says.
    /// - Throws: ``ClientProtocolError``; the hub answers ``ServerEnvelope/failure(_:)`` and closes
    ///   where ``ClientProtocolError/closeCode`` is set.
    func decode(
        _ message: RawSpan, kind: MessageKind
    ) throws(ClientProtocolError) -> ClientEnvelope
}

/// A client's message could not be read.
public struct ClientProtocolError: Error, Hashable, Sendable {
    /// Why, for people; at most 123 bytes are sent.
    public let reason: String
    /// The request that it was, where that could be read.
    public let request: RequestID?
    /// The code to close with; `nil` where the client may go on.
    public let closeCode: CloseCode?

    /// Creates an error.
    public init(_ reason: String, request: RequestID? = nil, closeCode: CloseCode? = nil) {
        self.reason = reason
        self.request = request
        self.closeCode = closeCode
    }
}

/// The client's mark on what it asks, or the hub's on what it asks a client: unique among those of
/// one side that are open.
public struct RequestID: Hashable, Sendable {
    public let rawValue: UInt32

    /// Creates the mark of that number.
    public init(rawValue: UInt32) {
        self.rawValue = rawValue
    }
}
