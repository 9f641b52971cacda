/// Splits a byte stream into frames (ttrpc 1.2 PROTOCOL.md, "Message Format").
///
/// A frame that lies whole in the input is given as a range of it. One that is cut is kept until
/// its rest arrives; what is kept grows with the bytes that came, never with what a header
/// announces. Performs no I/O and reads no clock.
///
///     awaiting header ──▶ awaiting data ──▶ awaiting header
///           │ too long
///           ▼
///       skipping ──▶ awaiting header
///
/// Complexity: O(1) per whole frame; each byte of a cut frame is copied once.
struct FrameDecoder: ~Copyable {
    /// Where a frame's data lies.
    enum Location: Hashable, Sendable {
        /// In the input.
        case input(Range<Int>)
        /// In ``kept``, until the next call.
        case kept
    }

    enum Event: Hashable, Sendable {
        case frame(FrameHeader, Location)
        /// The frame's data exceed the limit and are skipped; the sender is to be told (status 8).
        case oversized(FrameHeader)
    }

    private enum State: Hashable, Sendable {
        case awaitingHeader(received: Int)
        case awaitingData(FrameHeader, received: Int)
        case skipping(remaining: Int)
        case failed
    }

    let dataBytesMax: Int
    private var state = State.awaitingHeader(received: 0)
    private var head: InlineArray<10, UInt8> = .init(repeating: 0)
    private var memory = UnsafeMutableRawBufferPointer(start: nil, count: 0)
    private var keptBytes = 0

    /// - Parameter dataBytesMax: The most data of a frame that is taken.
    init(dataBytesMax: Int = FrameHeader.dataBytesMax) {
        precondition(
            (1...FrameHeader.dataBytesMax).contains(dataBytesMax),
            "frames of \(dataBytesMax) bytes")
        self.dataBytesMax = dataBytesMax
    }

    deinit { memory.deallocate() }

    /// The data of the frame that was given as ``Location/kept``; until the next call.
    var kept: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: memory[..<keptBytes]) }

    /// Whether a frame has begun and not ended.
    var isInsideFrame: Bool { state != .awaitingHeader(received: 0) }

    /// Bytes of memory held.
    var heldBytes: Int { memory.count }

    /// Decodes one event from `input`, starting at `cursor`.
    ///
    /// - Parameters:
    ///   - input: Bytes received and not yet consumed.
    ///   - cursor: Offset of the first unconsumed byte; advanced past the event.
    /// - Returns: The event, or `nil` if `input` ends inside a frame; all of it is consumed then.
    /// - Throws: ``ProtocolViolation``. Later calls are a programmer error.
    mutating func next(
        in input: UnsafeRawBufferPointer, at cursor: inout Int
    ) throws(ProtocolViolation) -> Event? {
        while true {
            switch state {
            case .awaitingHeader(received: 0) where input.count - cursor >= FrameHeader.bytes:
                guard let base = input.baseAddress else { return nil }
                let header = FrameHeader(base + cursor)
                cursor += FrameHeader.bytes
                if let event = try begin(header) { return event }
                let end = cursor + header.dataBytes
                guard end <= input.count else { continue }
                state = .awaitingHeader(received: 0)
                defer { cursor = end }
                return .frame(header, .input(cursor..<end))
            case .awaitingHeader(let received):
                releaseKept()
                let taken = min(FrameHeader.bytes - received, input.count - cursor)
                for index in 0..<taken { head[received + index] = input[cursor + index] }
                cursor += taken
                guard received + taken == FrameHeader.bytes else {
                    state = .awaitingHeader(received: received + taken)
                    return nil
                }
                if let event = try begin(wholeHead) { return event }
            case .awaitingData(let header, let received):
                let taken = min(header.dataBytes - received, input.count - cursor)
                keep(
                    UnsafeRawBufferPointer(rebasing: input[cursor..<cursor + taken]), at: received,
                    of: header.dataBytes)
                cursor += taken
                guard received + taken == header.dataBytes else {
                    state = .awaitingData(header, received: received + taken)
                    return nil
                }
                state = .awaitingHeader(received: 0)
                keptBytes = header.dataBytes
                return .frame(header, .kept)
            case .skipping(let remaining):
                let taken = min(remaining, input.count - cursor)
                cursor += taken
                guard taken == remaining else {
                    state = .skipping(remaining: remaining - taken)
                    return nil
                }
                state = .awaitingHeader(received: 0)
            case .failed:
                preconditionFailure("next(in:at:) called after a ProtocolViolation")
            }
        }
    }

    private var wholeHead: FrameHeader {
        head.span.withUnsafeBytes { bytes in
            guard let base = bytes.baseAddress else { preconditionFailure("a header of no bytes") }
            return FrameHeader(base)
        }
    }

    /// Enters the state after a header; gives the event of one that announces too much.
    @inline(__always)
    private mutating func begin(_ header: FrameHeader) throws(ProtocolViolation) -> Event? {
        guard header.dataBytes > dataBytesMax else {
            state = .awaitingData(header, received: 0)
            return nil
        }
        guard header.dataBytes < FrameHeader.plausibleBytesMax else {
            state = .failed
            throw ProtocolViolation(.implausibleLength(header.dataBytes))
        }
        state = .skipping(remaining: header.dataBytes)
        return .oversized(header)
    }

    /// Keeps a part of a frame's `total` bytes: memory doubles as they come, and is never more.
    private mutating func keep(
        _ bytes: UnsafeRawBufferPointer, at offset: Int, of total: Int
    ) {
        guard let source = bytes.baseAddress, bytes.count > 0 else { return }
        let needed = offset + bytes.count
        if needed > memory.count {
            let larger = UnsafeMutableRawBufferPointer.allocate(
                byteCount: max(needed, min(max(memory.count * 2, 512), total)), alignment: 16)
            if offset > 0, let old = memory.baseAddress {
                larger.baseAddress?.copyMemory(from: old, byteCount: offset)
            }
            memory.deallocate()
            memory = larger
        }
        memory.baseAddress?.advanced(by: offset).copyMemory(from: source, byteCount: bytes.count)
    }

    /// Gives memory back when the connection may be idle now.
    private mutating func releaseKept() {
        keptBytes = 0
        guard memory.count > 0 else { return }
        memory.deallocate()
        memory = UnsafeMutableRawBufferPointer(start: nil, count: 0)
    }
}
