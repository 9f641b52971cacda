/// The server's end of one WebSocket connection after its upgrade (RFC 6455 §5–§7).
///
/// Says what the bytes received mean and what may be sent; performs no I/O and reads no clock.
/// Bytes are unmasked where they lie. An unfragmented message that lies whole in the input is
/// delivered there, without a copy or an allocation; what is cut or fragmented is collected, and
/// freed after its delivery.
public struct ServerProtocol: ~Copyable {
    public typealias Event = ProtocolEvent

    private let configuration: ProtocolConfiguration
    private var core = ProtocolCore(role: .server)
    private var carried: CarriedInput
    private var controlFrames = ControlFrameRate()

    /// - Parameters:
    ///   - configuration: The limits, shared by all connections.
    ///   - deflate: This connection's compression, or `nil` where none was agreed on.
    public init(configuration: ProtocolConfiguration, deflate: DeflateCodec? = nil) {
        self.configuration = configuration
        carried = CarriedInput(deflate: deflate)
    }

    /// Decodes one event from `input`, starting at `cursor`.
    ///
    /// Call it for each new input with the cursor at its first byte, and again until it returns
    /// `nil`: then the whole input is consumed, and what must be remembered of it is.
    ///
    /// - Parameters:
    ///   - input: Bytes received, in order; payloads in them are unmasked in place.
    ///   - cursor: Offset of the first unconsumed byte; advanced past the event.
    /// - Returns: The event, or `nil` if there is none left in `input`. After the peer's close
    ///   frame or a violation, all input is discarded.
    /// - Throws: ``ProtocolViolation``, once. Then ask ``closeRequested()`` whether to send a close
    ///   frame with its code, and close the connection.
    public mutating func next(
        in input: inout MutableRawSpan,
        at cursor: inout Int
    ) throws(ProtocolViolation) -> Event? {
        try core.next(in: &input, at: &cursor, carrying: &carried, configuration)
    }

    /// Lends the payload of the event last returned.
    ///
    /// - Parameters:
    ///   - payload: Where the event says that its payload lies.
    ///   - input: The input that the event came from.
    ///   - body: Called once with the unmasked bytes.
    /// - Returns: What `body` returns.
    /// - Throws: What `body` throws.
    public func withPayload<R, E: Error>(
        _ payload: Event.Payload,
        in input: borrowing MutableRawSpan,
        _ body: (RawSpan) throws(E) -> R
    ) throws(E) -> R {
        try carried.withPayload(payload, in: input, body)
    }

    /// The payload of the event last returned, if that is ``ProtocolEvent/Payload/kept``; traps
    /// otherwise.
    ///
    /// Valid until the next call of ``next(in:at:)``. Unlike ``withPayload(_:in:_:)`` it leaves
    /// this value free to be used meanwhile, as when a handler of the message closes the
    /// connection.
    public var keptPayload: UnsafeRawBufferPointer { carried.keptPayload }

    /// Counts the ping or pong that was last returned against
    /// ``ProtocolLimits/controlFramesPerSecondMax``; whoever has a clock calls it for each.
    ///
    /// - Parameter now: The time since any fixed instant.
    /// - Throws: ``ProtocolViolation``, to be treated as one of ``next(in:at:)``.
    public mutating func controlFrameTaken(at now: Duration) throws(ProtocolViolation) {
        do throws(ProtocolViolation) {
            try controlFrames.taken(at: now, configuration.limits)
        } catch {
            core.violated()
            throw error
        }
    }

    /// Whether messages and pings may still be sent: until a close frame is sent or received. Pings are
    /// to be answered until the peer's came (RFC 6455 §5.5.2), behind which there is no event.
    public var maySend: Bool { core.maySend }

    /// Whether both sides are done, so that the connection may be closed once everything is
    /// written.
    public var isClosed: Bool { core.isClosed }

    /// Who closed first, or `nil` if nobody has.
    public var closeInitiator: CloseHandshake.Initiator? { core.closeInitiator }

    /// Asks to close from this side, for a reason of its own or after a violation.
    ///
    /// - Returns: Whether to write a close frame; only pongs may follow it.
    public mutating func closeRequested() -> CloseHandshake.OnCloseRequested {
        core.closeRequested()
    }
}
