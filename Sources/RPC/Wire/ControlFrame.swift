/// A frame of the connection's own: an extension, or the refusal of a call (PROTOCOL.md).
enum ControlFrame: Hashable, Sendable {
    case settings(PeerSettings)
    case cancel(stream: UInt32, code: StatusCode)
    case ping(UInt64)
    case pong(UInt64)
    /// More credit, for a stream or, with 0, for the connection.
    case window(stream: UInt32, credit: UInt32)
    case goAway(GoAway)
    /// A response without a call: what was asked for is refused.
    case refusal(stream: UInt32, RPCError)

    /// The frame's bytes. Control frames are rare: they may allocate.
    var bytes: [UInt8] {
        switch self {
        case .settings(let settings):
            return frame(.settings, 0, settings.bytes)
        case .cancel(let stream, let code):
            return frame(.cancel, stream, Self.bytes(UInt32(bitPattern: code.rawValue)))
        case .ping(let opaque): return frame(.ping, 0, Self.bytes(opaque))
        case .pong(let opaque): return frame(.pong, 0, Self.bytes(opaque))
        case .window(let stream, let credit):
            return frame(.window, stream, Self.bytes(credit))
        case .goAway(let goAway):
            return frame(
                .goAway, 0,
                Self.bytes(goAway.lastAccepted)
                    + Self.bytes(UInt32(bitPattern: goAway.code.rawValue))
                    + Array(goAway.text.utf8.prefix(GoAway.textBytesMax)))
        case .refusal(let stream, let error):
            let head = ResponseHead(status: error)
            return [UInt8](unsafeUninitializedCapacity: head.count) { buffer, filled in
                if let base = buffer.baseAddress { head.write(to: base, stream: stream) }
                filled = head.count
            }
        }
    }

    private func frame(_ type: FrameType, _ stream: UInt32, _ data: [UInt8]) -> [UInt8] {
        let header = FrameHeader(dataBytes: data.count, stream: stream, type: type)
        return [UInt8](unsafeUninitializedCapacity: FrameHeader.bytes + data.count) {
            buffer, filled in
            if let base = buffer.baseAddress {
                header.write(to: base)
                data.withUnsafeBytes {
                    UnsafeMutableRawBufferPointer(
                        rebasing: UnsafeMutableRawBufferPointer(buffer)[
                            FrameHeader.bytes...]
                    ).copyMemory(from: $0)
                }
            }
            filled = FrameHeader.bytes + data.count
        }
    }

    private static func bytes<Word: FixedWidthInteger>(_ word: Word) -> [UInt8] {
        withUnsafeBytes(of: word.bigEndian) { Array($0) }
    }
}

/// A side takes no more calls; what it has taken it finishes (PROTOCOL.md, GOAWAY).
struct GoAway: Hashable, Sendable {
    static let textBytesMax = 1_024

    /// Calls of greater ids were not run and will not be.
    var lastAccepted: UInt32
    var code: StatusCode
    var text = ""

    init(lastAccepted: UInt32, code: StatusCode, text: String = "") {
        self.lastAccepted = lastAccepted
        self.code = code
        self.text = text
    }

    /// `nil` where the data are too short.
    init?(_ bytes: UnsafeRawBufferPointer) {
        guard bytes.count >= 8 else { return nil }
        lastAccepted = UInt32(bigEndian: bytes.loadUnaligned(as: UInt32.self))
        let code = UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: 4, as: UInt32.self))
        self.code = StatusCode(rawValue: Int32(bitPattern: code))
        text = String(decoding: bytes[8...].prefix(Self.textBytesMax), as: UTF8.self)
    }
}
