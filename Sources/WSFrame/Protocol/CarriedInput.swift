/// What a ``ProtocolCore`` remembers of its input from one call to the next: nothing at all while no
/// frame is cut and no message incomplete.
package struct CarriedInput: ~Copyable {
    var assembler = MessageAssembler()
    /// The connection's compression, or `nil`.
    let deflate: DeflateCodec?
    /// Control frames seen in the current input.
    var controlFrames: UInt32 = 0
    /// Whether a byte came of what is incomplete since the driver set this to `false`. Control frames
    /// between the frames of a message bring it no further.
    package var isAdvanced = false
    /// Whether the driver takes back what is spare.
    private var keepsSpare = false

    /// - Parameter deflate: The same in every call.
    package init(deflate: DeflateCodec? = nil) {
        self.deflate = deflate
    }

    /// Whether there is nothing to keep for the next input.
    @inline(__always)
    package var isEmpty: Bool { assembler.isIdle }

    /// Takes what is spare, so that what follows need not allocate; ``giveBack(to:)`` is to follow.
    @inline(__always)
    package mutating func borrow(_ spare: inout SpareAssembly) {
        keepsSpare = true
        assembler.borrow(&spare)
    }

    /// Gives back what is spare, before this waits for the next input.
    @inline(__always)
    package mutating func giveBack(to spare: inout SpareAssembly) {
        assembler.giveBack(to: &spare)
    }

    /// The payload of the event last returned, if that is ``ProtocolEvent/Payload/kept``; valid until
    /// the next event is asked for.
    package var keptPayload: UnsafeRawBufferPointer {
        if let deflate, deflate.isDelivered { return deflate.delivered }
        return assembler.delivered
    }

    /// Lends the payload of the event last returned, as ``ServerProtocol/withPayload(_:in:_:)``.
    package func withPayload<R, E: Error>(
        _ payload: ProtocolEvent.Payload,
        in input: borrowing MutableRawSpan,
        _ body: (RawSpan) throws(E) -> R
    ) throws(E) -> R {
        switch payload {
        case .input(let range): try body(input.bytes.extracting(range))
        case .kept: try body(keptPayload.bytes)
        }
    }

    /// Checks a header against the limits and the rules of fragmentation.
    ///
    /// - Returns: Whether the frame is handed on as it is, if all of it is there.
    mutating func began(
        _ header: FrameHeader, _ configuration: ProtocolConfiguration
    ) throws(ProtocolViolation) -> Bool {
        guard !header.opcode.isControl else {
            controlFrames += 1
            let most = configuration.limits.controlFramesPerInputMax
            guard controlFrames <= most else {
                throw ProtocolViolation(.excessiveControlFrames(max: most))
            }
            return true
        }
        isAdvanced = true
        let isMessage = try assembler.checked(header, limits: configuration.limits)
        if header.isCompressed, let kind = MessageKind(rawValue: header.opcode.rawValue) {
            deflate?.messageBegan(kind)
            deflate?.frameBegan(headerBytes: header.encodedBytes)
        } else if assembler.isCompressed {
            deflate?.frameBegan(headerBytes: header.encodedBytes)
        }
        return isMessage && configuration.delivery == .whole
    }

    /// Frees what was delivered, before the next event is asked for.
    package mutating func release() {
        assembler.release(keepsSpare: keepsSpare)
        deflate?.release()
    }

    /// Frees everything, delivered or not.
    mutating func discard() {
        assembler.discard()
        deflate?.discard()
    }
}
