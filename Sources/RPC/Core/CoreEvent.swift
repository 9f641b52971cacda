/// What a frame means; see ``ConnectionCore/received(_:_:)``.
enum CoreEvent: Hashable, Sendable {
    /// Nothing is to be done: it was late, unknown, or the core has seen to it.
    case none
    /// The peer calls: run it, and end it with ``ConnectionCore/answered(_:)``.
    case call(slot: UInt32, RequestEnvelope, IncomingShape)
    /// A call of this side is over with this answer. Its slot is free already.
    case reply(slot: UInt32, ResponseEnvelope)
    /// A call of this side is over because the peer's answer broke a rule.
    case broken(slot: UInt32)
    /// A message of a stream, and the end of what the peer sends.
    ///
    /// - hasMessage: Whether the frame's data are a message; else it only ends the stream.
    /// - isOver: Whether the call is over with it; its slot is free then.
    case data(CallSide, slot: UInt32, hasMessage: Bool, isEnd: Bool, isOver: Bool)
    /// The peer gave one of its calls up: cancel its handler.
    case cancelled(slot: UInt32)
    /// More may be sent on streams that waited for credit.
    case credit
    /// Extensions are negotiated from now on.
    case negotiated
    /// The peer takes no more calls: those it did not accept are to be failed, see
    /// ``ConnectionCore/nextNotAccepted(_:)``.
    case goAway(GoAway)

    /// What a request says of its shape: whether the called side streams is the method's to know.
    enum IncomingShape: Hashable, Sendable {
        case unary
        /// The caller sends one message, the payload.
        case streamingOut
        /// The caller streams; a payload that is not empty is its first message.
        case streamingIn
    }
}

/// What becomes of a call that is to be made.
enum OnOpen: Hashable, Sendable {
    /// Send the request now, with the id of ``ConnectionCore/begin(_:)``.
    case send(CallKey)
    /// Keep it: ``ConnectionCore/nextSendable()`` will name it.
    case wait(CallKey)
    case refuse(Refusal)

    enum Refusal: Hashable, Sendable {
        /// As many calls are in flight and wait as may.
        case full
        /// The connection takes no more calls: it drains, or all stream ids are used.
        case draining
        /// The peer does not know extensions, without which it cannot be called or not this way.
        case unsupported
    }
}

/// What becomes of a message that is to be sent on a stream.
enum OnSend: Hashable, Sendable {
    /// Send it on this stream.
    case send(id: UInt32)
    /// Wait for credit.
    case wait
    /// The stream is over for this side.
    case closed
}

/// What the clock asks for.
enum OnTick: Hashable, Sendable {
    /// Nothing until this time (nanoseconds).
    case wait(until: Int64)
    /// Nothing was heard of the peer for too long: end the connection.
    case dead
}
