/// The names of a method as a request carries them: encoded once, copied into each request.
struct EncodedName: Hashable, Sendable {
    let bytes: [UInt8]

    /// - Parameters:
    ///   - service: With its package, for example `greet.Greeter`.
    ///   - method: Bare.
    init(service: String, method: String) {
        let count =
            ProtobufWriter.bytes(ofField: service.utf8.count)
            + ProtobufWriter.bytes(ofField: method.utf8.count)
        bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            if let base = buffer.baseAddress {
                var writer = ProtobufWriter(base)
                writer.string(1, service)
                writer.string(2, method)
            }
            filled = count
        }
    }

    /// The names it was made of. Complexity: O(bytes).
    var parts: (service: String, method: String) {
        bytes.withUnsafeBytes { fields in
            // They were written above.
            guard let envelope = try? RequestEnvelope(fields) else { return ("", "") }
            return (
                String(decoding: fields[envelope.service], as: UTF8.self),
                String(decoding: fields[envelope.method], as: UTF8.self)
            )
        }
    }
}

/// All of a request's frame that comes before the payload's bytes, which are the last of it.
struct RequestHead {
    /// `longwire-ext: 1` as a field of a request.
    private static let announcement: [UInt8] =
        [0x2a, 17, 0x0a, 12] + Array(Announcement.key.utf8) + [0x12, 1, 0x31]

    let name: EncodedName
    /// 0: none.
    let timeoutNanoseconds: Int64
    /// ``RPCMetadata/fields``.
    let metadata: [UInt8]
    /// Whether it says that extensions are known here.
    let announces: Bool
    let payloadBytes: Int
    /// The bytes of the head.
    let count: Int

    init(
        name: EncodedName, timeoutNanoseconds: Int64, metadata: [UInt8], announces: Bool,
        payloadBytes: Int
    ) {
        self.name = name
        self.timeoutNanoseconds = timeoutNanoseconds
        self.metadata = metadata
        self.announces = announces
        self.payloadBytes = payloadBytes
        var count = FrameHeader.bytes + name.bytes.count
        if timeoutNanoseconds != 0 {
            count += 1 + ProtobufWriter.bytes(ofVarint: UInt64(bitPattern: timeoutNanoseconds))
        }
        if announces { count += Self.announcement.count }
        count += metadata.count
        if payloadBytes > 0 { count += 1 + ProtobufWriter.bytes(ofVarint: UInt64(payloadBytes)) }
        self.count = count
    }

    /// The data of the frame, payload and all.
    var dataBytes: Int { count - FrameHeader.bytes + payloadBytes }

    /// The frame's data as a whole, for messages that are not sent as one frame.
    func bytes(_ payload: UnsafeRawBufferPointer, stream: UInt32) -> [UInt8] {
        var bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            if let base = buffer.baseAddress { write(to: base, stream: stream, flags: []) }
            filled = count
        }
        bytes.removeFirst(FrameHeader.bytes)
        bytes += payload
        return bytes
    }

    /// Writes the head's bytes to `place`.
    func write(to place: UnsafeMutableRawPointer, stream: UInt32, flags: FrameFlags) {
        FrameHeader(dataBytes: dataBytes, stream: stream, type: .request, flags: flags)
            .write(to: place)
        var writer = ProtobufWriter(place + FrameHeader.bytes)
        name.bytes.withUnsafeBytes { writer.copy($0) }
        if timeoutNanoseconds != 0 {
            writer.byte(4 << 3)
            writer.varint(UInt64(bitPattern: timeoutNanoseconds))
        }
        if announces { Self.announcement.withUnsafeBytes { writer.copy($0) } }
        metadata.withUnsafeBytes { writer.copy($0) }
        if payloadBytes > 0 { writer.lengthField(3, bytes: payloadBytes) }
        assert(writer.place == place + count, "a head of another length than was measured")
    }
}
