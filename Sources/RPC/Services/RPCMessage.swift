/// What a method takes or gives: a type that knows how it is encoded.
///
/// Bytes are messages as they are. Other codecs are targets of their own, each with a protocol that
/// refines this one, so that nobody pays for those he does not use.
public protocol RPCMessage: Sendable {
    /// Decodes a message.
    ///
    /// - Parameter payload: Lent for the call.
    /// - Throws: Whatever says why it cannot be decoded; the call fails with
    ///   ``StatusCode/invalidArgument`` where it was a request, ``StatusCode/internal`` where it was
    ///   a reply.
    init(decoding payload: RawSpan) throws

    /// Appends the encoded message to `payload`.
    ///
    /// - Throws: Whatever says why it cannot be encoded; the call fails with
    ///   ``StatusCode/internal``.
    func encode(to payload: inout PayloadWriter) throws
}

extension [UInt8]: RPCMessage {
    public init(decoding payload: RawSpan) {
        self = payload.withUnsafeBytes { Array($0) }
    }

    public func encode(to payload: inout PayloadWriter) {
        payload.append(self)
    }
}
