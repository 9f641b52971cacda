/// What a frame is (ttrpc 1.2 PROTOCOL.md, and the extensions of this module's PROTOCOL.md).
struct FrameType: RawRepresentable, Hashable, Sendable {
    let rawValue: UInt8

    /// Opens a stream; its data is a ``RequestEnvelope``.
    static let request = FrameType(rawValue: 0x01)
    /// Ends a stream; its data is a ``ResponseEnvelope``.
    static let response = FrameType(rawValue: 0x02)
    /// One message of a stream.
    static let data = FrameType(rawValue: 0x03)

    // Extensions, sent only to a peer that announced them.
    static let settings = FrameType(rawValue: 0x20)
    static let cancel = FrameType(rawValue: 0x21)
    static let ping = FrameType(rawValue: 0x22)
    static let pong = FrameType(rawValue: 0x23)
    static let window = FrameType(rawValue: 0x24)
    static let goAway = FrameType(rawValue: 0x25)

    var isExtension: Bool { rawValue & 0xf0 == 0x20 }
}

/// What a frame says besides its type; the low four bits are ttrpc's, the high four ours.
struct FrameFlags: OptionSet, Hashable, Sendable {
    let rawValue: UInt8

    /// The sender sends no more on this stream.
    static let remoteClosed = FrameFlags(rawValue: 0x01)
    /// The call is not unary, and data of the sender's follow.
    static let remoteOpen = FrameFlags(rawValue: 0x02)
    /// The frame carries no message, not even an empty one.
    static let noData = FrameFlags(rawValue: 0x04)
    /// A request that is never answered.
    static let oneWay = FrameFlags(rawValue: 0x10)
    /// The message goes on in the stream's next frame of the same type.
    static let more = FrameFlags(rawValue: 0x20)
    /// The message is compressed.
    static let compressed = FrameFlags(rawValue: 0x40)

    /// Any of these is understood by a peer of ours only.
    static let extensions = FrameFlags(rawValue: 0x70)
    /// Either of these: the frame is not a message as it stands.
    static let unfinished = FrameFlags(rawValue: 0x60)
    /// Either of these: the request is not unary.
    static let streaming = FrameFlags(rawValue: 0x03)
    /// The empty frame that closes a stream.
    static let closing = FrameFlags(rawValue: 0x05)
}

/// The ten bytes before a frame's data (ttrpc 1.2 PROTOCOL.md, "Message Format").
struct FrameHeader: Hashable, Sendable {
    static let bytes = 10
    /// The most data of a frame.
    static let dataBytesMax = 4 << 20
    /// Announced data from here on is no mistake of size but not ttrpc.
    static let plausibleBytesMax = 16 << 20

    var dataBytes: Int
    var stream: UInt32
    var type: FrameType
    var flags: FrameFlags = []

    init(dataBytes: Int, stream: UInt32, type: FrameType, flags: FrameFlags = []) {
        self.dataBytes = dataBytes
        self.stream = stream
        self.type = type
        self.flags = flags
    }

    /// Reads the ten bytes at `bytes`.
    @inline(__always)
    init(_ bytes: UnsafeRawPointer) {
        dataBytes = Int(UInt32(bigEndian: bytes.loadUnaligned(as: UInt32.self)))
        stream = UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: 4, as: UInt32.self))
        type = FrameType(rawValue: bytes.load(fromByteOffset: 8, as: UInt8.self))
        flags = FrameFlags(rawValue: bytes.load(fromByteOffset: 9, as: UInt8.self))
    }

    /// Writes the ten bytes to `place`.
    @inline(__always)
    func write(to place: UnsafeMutableRawPointer) {
        place.storeBytes(of: UInt32(truncatingIfNeeded: dataBytes).bigEndian, as: UInt32.self)
        place.storeBytes(of: stream.bigEndian, toByteOffset: 4, as: UInt32.self)
        place.storeBytes(of: type.rawValue, toByteOffset: 8, as: UInt8.self)
        place.storeBytes(of: flags.rawValue, toByteOffset: 9, as: UInt8.self)
    }
}
