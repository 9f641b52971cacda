public import WSFrame

/// Bare messages: a payload is one WebSocket message, and nothing else is ever said.
///
/// For clients that know no envelope. Topics, names, positions and answers are not told; what a
/// client sends is a ``ClientEnvelope/message(_:)`` without an event.
public struct RawProtocol: ClientProtocol {
    /// `nil`: what clients get that ask for no protocol.
    public var subprotocol: String? { nil }

    /// Creates the protocol.
    public init() {}

    public func encode(_ envelope: ServerEnvelope) -> PreparedMessage? {
        switch envelope {
        case .publication(_, let message, _), .message(let message), .inbox(_, let message),
            .request(_, let message):
            PreparedMessage(message.payload.bytes.span.bytes, kind: message.payload.kind)
        case .reply(_, let payload):
            PreparedMessage(payload.bytes.span.bytes, kind: payload.kind)
        case .welcome, .subscribed, .unsubscribed, .published, .presence, .members, .history,
            .failure, .reconnect, .token, .pong:
            nil
        }
    }

    public func decode(
        _ message: RawSpan, kind: MessageKind
    ) throws(ClientProtocolError) -> ClientEnvelope {
        .message(HubMessage(Payload(copying: message, kind: kind)))
    }
}
