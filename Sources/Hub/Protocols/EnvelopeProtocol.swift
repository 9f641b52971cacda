public import WSFrame

/// A protocol that carries every envelope whole, and can be spoken from both ends: what a hub's
/// clients in Swift speak.
public protocol EnvelopeProtocol: ClientProtocol {
    /// Frames what a client has to say.
    func encode(_ envelope: ClientEnvelope) -> (bytes: [UInt8], kind: MessageKind)

    /// Reads what the hub said.
    ///
    /// - Parameters:
    ///   - message: Lent for the call.
    ///   - kind: Text or binary.
    /// - Returns: What it says.
    /// - Throws: ``ClientProtocolError``.
    func decodeAnswer(
        _ message: RawSpan, kind: MessageKind
    ) throws(ClientProtocolError) -> ServerEnvelope
}
