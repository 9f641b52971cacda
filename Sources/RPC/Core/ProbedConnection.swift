/// The decoder and core of a connection without its socket, for fuzzing: takes a peer's bytes and tells
/// what they meant.
package struct ProbedConnection: ~Copyable {
    /// What the bytes meant, in order: events with their messages, frames to be sent, and a violation.
    package private(set) var said: [String] = []
    /// What must not be, and was.
    package private(set) var problem: String?
    private var core: ConnectionCore
    private var decoder: FrameDecoder
    private let compressor = MessageCompressor(level: 1)
    private let limits: CoreLimits
    private var open: Set<UInt32> = []

    /// - Parameters:
    ///   - isServer: Which side takes the bytes. A client has calls of all shapes in flight.
    ///   - negotiates: Whether the extensions are negotiated already.
    ///   - messageBytesMax: The longest message that is taken.
    package init(isServer: Bool, negotiates: Bool, messageBytesMax: Int) {
        var limits = CoreLimits()
        limits.settings.messageBytesMax = UInt32(messageBytesMax)
        limits.settings.callsMax = 16
        limits.settings.partialsMax = 2
        limits.settings.compressors = PeerSettings.zlib
        limits.settings.streamCredit = 2_000
        limits.settings.connectionCredit = 3_000
        self.limits = limits
        core = ConnectionCore(role: isServer ? .server : .client, limits: limits, now: 0)
        decoder = FrameDecoder(dataBytesMax: messageBytesMax)
        if negotiates { core.extensions = .negotiated(PeerSettings()) }
        guard !isServer else { return }
        for shape in [CallShape.unary, .serverStreaming, .clientStreaming, .bidirectional, .unary] {
            guard case .send(let key) = core.opened(shape) else { continue }
            _ = core.begin(key.slot, shape: shape)
            open.insert(key.slot)
        }
    }

    /// Bytes that are held of what is not whole.
    package var heldBytes: Int { decoder.heldBytes + core.partials.bytes }

    /// The most that ``heldBytes`` may be: arrays and the decoder's memory grow by doubling.
    package var heldBytesMax: Int {
        2 * Int(limits.settings.messageBytesMax) * (Int(limits.settings.partialsMax) + 1) + 512
    }

    /// Takes bytes; whether more may come.
    package mutating func take(_ bytes: [UInt8]) -> Bool {
        var cursor = 0
        do throws(ProtocolViolation) {
            while let (header, data) = try next(in: bytes, at: &cursor) {
                if let data {
                    try take(header, data)
                } else {
                    note(try core.receivedSkipped(header), [])
                }
                sendControl()
                check()
            }
        } catch {
            said.append("\(error)")
            return false
        }
        return problem == nil
    }

    /// The next frame, with a copy of its data or, where it is too long, without.
    private mutating func next(
        in bytes: [UInt8], at cursor: inout Int
    ) throws(ProtocolViolation) -> (FrameHeader, [UInt8]?)? {
        var position = cursor
        defer { cursor = position }
        let input = bytes.span.bytes
        let event = try input.withUnsafeBytes { input throws(ProtocolViolation) in
            try decoder.next(in: input, at: &position)
        }
        switch event {
        case .frame(let header, .input(let range)): return (header, Array(bytes[range]))
        case .frame(let header, .kept): return (header, Array(decoder.kept))
        case .oversized(let header): return (header, nil)
        case nil: return nil
        }
    }

    private mutating func take(_ header: FrameHeader, _ data: [UInt8]) throws(ProtocolViolation) {
        let piece = try data.span.bytes.withUnsafeBytes { data throws(ProtocolViolation) in
            try core.receivedPiece(header, data)
        }
        switch piece {
        case .alone:
            let event = try data.span.bytes.withUnsafeBytes { data throws(ProtocolViolation) in
                try core.received(header, data, at: 0)
            }
            note(event, data)
        case .event(let event): note(event, data)
        case .whole(let header, let bytes): try takeWhole(header, bytes)
        }
    }

    private mutating func takeWhole(
        _ header: FrameHeader, _ bytes: [UInt8]
    ) throws(ProtocolViolation) {
        var (header, bytes) = (header, bytes)
        if header.flags.contains(.compressed) {
            do throws(MessageCompressor.InflateError) {
                bytes = try compressor.inflate(bytes)
            } catch {
                return note(core.receivedMalformed(header, bytes), [])
            }
            header.flags.remove(.compressed)
            header.dataBytes = bytes.count
        }
        if bytes.count > Int(limits.settings.messageBytesMax) {
            problem = "a message of \(bytes.count) bytes"
        }
        let event = try bytes.span.bytes.withUnsafeBytes { data throws(ProtocolViolation) in
            try core.receivedWhole(header, data, at: 0)
        }
        note(event, bytes)
    }

    private mutating func note(_ event: CoreEvent, _ data: [UInt8]) {
        switch event {
        case .call(let slot, let envelope, let shape):
            said.append("call \(shape) \(Array(data[envelope.payload]))")
            // Every other call stays open.
            if slot & 1 == 0 { _ = core.answered(slot) }
        case .reply(let slot, let envelope):
            said.append("reply \(slot) \(envelope.code) \(Array(data[envelope.payload]))")
            end(slot)
        case .broken(let slot):
            said.append("broken \(slot)")
            end(slot)
        case .data(let side, let slot, let hasMessage, let isEnd, let isOver):
            said.append("data \(side) \(slot) \(hasMessage ? data : []) \(isEnd)")
            if isOver { end(slot) }
            if hasMessage { consume(side, slot, isOver, data.count) }
        case .none, .cancelled, .credit, .negotiated, .goAway: said.append("\(event)")
        }
    }

    private mutating func consume(_ side: CallSide, _ slot: UInt32, _ isOver: Bool, _ bytes: Int) {
        guard !isOver else { return core.consumed(ConnectionCore.cost(bytes)) }
        let key = side == .outgoing ? core.outgoing.key(slot) : core.incoming.key(slot)
        core.consumed(side, key, messageBytes: bytes)
    }

    private mutating func end(_ slot: UInt32) {
        if open.remove(slot) == nil { problem = "call \(slot) ended and was not open" }
    }

    private mutating func sendControl() {
        for frame in core.takeControl() { said.append("\(frame)") }
    }

    private mutating func check() {
        if core.incoming.count > Int(limits.settings.callsMax) {
            problem = "\(core.incoming.count) calls in flight"
        }
        if core.partials.count > Int(limits.settings.partialsMax) {
            problem = "\(core.partials.count) messages in pieces"
        }
        if core.outgoing.count != open.count {
            problem = "\(core.outgoing.count) calls where \(open.count) are open"
        }
    }
}
