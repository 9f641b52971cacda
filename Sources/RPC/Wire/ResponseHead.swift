/// All of a response's frame that comes before the payload's bytes, which are the last of it.
struct ResponseHead {
    let status: RPCError?
    let payloadBytes: Int
    /// The bytes of the head.
    let count: Int
    private let statusBytes: Int

    /// - Parameters:
    ///   - status: `nil` is success.
    ///   - payloadBytes: How many bytes follow the head.
    init(status: RPCError? = nil, payloadBytes: Int = 0) {
        self.status = status
        self.payloadBytes = payloadBytes
        var count = FrameHeader.bytes
        if let status {
            statusBytes = Self.bytes(of: status)
            count += ProtobufWriter.bytes(ofField: statusBytes)
        } else {
            statusBytes = 0
        }
        if payloadBytes > 0 { count += 1 + ProtobufWriter.bytes(ofVarint: UInt64(payloadBytes)) }
        self.count = count
    }

    /// The data of the frame, payload and all.
    var dataBytes: Int { count - FrameHeader.bytes + payloadBytes }

    /// The frame's data as a whole, for messages that are not sent as one frame.
    func bytes(_ payload: UnsafeRawBufferPointer, stream: UInt32) -> [UInt8] {
        var bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            if let base = buffer.baseAddress { write(to: base, stream: stream) }
            filled = count
        }
        bytes.removeFirst(FrameHeader.bytes)
        bytes += payload
        return bytes
    }

    /// Writes the head's bytes to `place`.
    @inline(__always)
    func write(to place: UnsafeMutableRawPointer, stream: UInt32) {
        FrameHeader(dataBytes: dataBytes, stream: stream, type: .response).write(to: place)
        var writer = ProtobufWriter(place + FrameHeader.bytes)
        if let status {
            writer.lengthField(1, bytes: statusBytes)
            Self.write(status, to: &writer)
        }
        if payloadBytes > 0 { writer.lengthField(2, bytes: payloadBytes) }
        assert(writer.place == place + count, "a head of another length than was measured")
    }

    private static func bytes(of status: RPCError) -> Int {
        var count =
            1 + ProtobufWriter.bytes(ofVarint: UInt64(bitPattern: Int64(status.code.rawValue)))
        if !status.message.isEmpty {
            count += ProtobufWriter.bytes(ofField: status.message.utf8.count)
        }
        for detail in status.details { count += ProtobufWriter.bytes(ofField: bytes(of: detail)) }
        return count
    }

    private static func bytes(of detail: RPCError.Detail) -> Int {
        ProtobufWriter.bytes(ofField: detail.typeURL.utf8.count)
            + ProtobufWriter.bytes(ofField: detail.value.count)
    }

    private static func write(_ status: RPCError, to writer: inout ProtobufWriter) {
        writer.byte(1 << 3)
        writer.varint(UInt64(bitPattern: Int64(status.code.rawValue)))
        if !status.message.isEmpty { writer.string(2, status.message) }
        for detail in status.details {
            writer.lengthField(3, bytes: bytes(of: detail))
            writer.string(1, detail.typeURL)
            writer.bytes(2, detail.value)
        }
    }
}
