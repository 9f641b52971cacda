/// Writes frames (RFC 6455 §5.2).
///
/// A server's frames are not masked; a client passes a fresh ``MaskingKey`` with each.
public enum FrameEncoder {
    /// The most bytes that a control frame takes, with the masking key of a client.
    public static let controlFrameBytesMax = 131

    /// The most bytes of a close reason (RFC 6455 §5.5.1).
    public static let closeReasonBytesMax = 123

    /// How many bytes the header of a frame takes: 2, 4 or 10, and 4 more for a client's key.
    @inlinable
    public static func headerBytes(payloadBytes: Int, role: Role = .server) -> Int {
        let masked = role == .client ? 4 : 0
        return (payloadBytes < 126 ? 2 : payloadBytes <= 0xFFFF ? 4 : 10) + masked
    }

    /// Writes a frame header.
    ///
    /// - Parameters:
    ///   - header: The fields; the payload length is written in its shortest form.
    ///   - target: Where to write: room for ``headerBytes(payloadBytes:role:)``, no alignment
    ///     needed.
    /// - Returns: How many bytes were written.
    @inlinable
    @inline(__always)
    @discardableResult
    public static func encodeHeader(
        _ header: FrameHeader,
        into target: UnsafeMutableRawPointer
    ) -> Int {
        // Most frames of a server: two bytes, made where they are written.
        if header.isShortest {
            // unsafe: the caller grants the room that headerBytes(payloadBytes:role:) names.
            target.storeBytes(of: header.firstByte, as: UInt8.self)
            target.storeBytes(
                of: UInt8(truncatingIfNeeded: header.payloadBytes), toByteOffset: 1,
                as: UInt8.self)
            return 2
        }
        return encodeAnyHeader(header, into: target)
    }

    @usableFromInline
    static func encodeAnyHeader(
        _ header: FrameHeader,
        into target: UnsafeMutableRawPointer
    ) -> Int {
        precondition(header.payloadBytes >= 0, "payload of \(header.payloadBytes) bytes")
        let maskBit: UInt8 = header.maskingKey == nil ? 0 : 0x80
        let length = header.payloadBytes
        var count: Int
        // unsafe: the caller grants the room that headerBytes(payloadBytes:role:) names.
        target.storeBytes(of: header.firstByte, as: UInt8.self)
        if length < 126 {
            target.storeBytes(
                of: UInt8(truncatingIfNeeded: length) | maskBit, toByteOffset: 1, as: UInt8.self)
            count = 2
        } else if length <= 0xFFFF {
            target.storeBytes(of: 126 | maskBit, toByteOffset: 1, as: UInt8.self)
            target.storeBytes(
                of: UInt16(truncatingIfNeeded: length).bigEndian, toByteOffset: 2, as: UInt16.self)
            count = 4
        } else {
            target.storeBytes(of: 127 | maskBit, toByteOffset: 1, as: UInt8.self)
            target.storeBytes(of: UInt64(length).bigEndian, toByteOffset: 2, as: UInt64.self)
            count = 10
        }
        if let key = header.maskingKey {
            target.storeBytes(of: key.word, toByteOffset: count, as: UInt32.self)
            count += 4
        }
        return count
    }

    /// Writes a whole, unfragmented frame.
    ///
    /// - Parameters:
    ///   - payload: Copied behind the header, masked if there is a key; must not overlap `target`.
    ///   - opcode: What the frame carries.
    ///   - isCompressed: Whether the payload is compressed (RFC 7692 §6).
    ///   - maskingKey: A fresh key for a client's frame, `nil` for a server's.
    ///   - target: Where to write. Traps if it has less room than header and payload take.
    /// - Returns: How many bytes were written.
    @discardableResult
    public static func encode(
        _ payload: RawSpan,
        opcode: Opcode,
        isCompressed: Bool = false,
        maskingKey: MaskingKey? = nil,
        into target: UnsafeMutableRawBufferPointer
    ) -> Int {
        let count = payload.byteCount
        let role: Role = maskingKey == nil ? .server : .client
        let headerBytes = headerBytes(payloadBytes: count, role: role)
        guard let base = target.baseAddress, target.count - headerBytes >= count else {
            preconditionFailure("\(target.count) bytes are too few for a payload of \(count)")
        }
        let header = FrameHeader(
            isCompressed: isCompressed, opcode: opcode, payloadBytes: count,
            maskingKey: maskingKey)
        encodeHeader(header, into: base)
        payload.withUnsafeBytes { source in
            guard let sourceBase = source.baseAddress else { return }
            // unsafe: the guard above granted headerBytes + count bytes from base.
            let body = base + headerBytes
            if let maskingKey {
                _ = Masking.transform(from: sourceBase, to: body, count: count, key: maskingKey)
            } else {
                body.copyMemory(from: sourceBase, byteCount: count)
            }
        }
        return headerBytes + count
    }

    /// Writes a close frame.
    ///
    /// - Parameters:
    ///   - code: Why; `nil` for a frame without a code. Traps if it is not valid on the wire.
    ///   - reason: For the log of the peer; cut after the last character that fits 123 bytes of
    ///     UTF-8. Not sent without a code.
    ///   - maskingKey: A fresh key for a client's frame, `nil` for a server's.
    /// - Returns: The frame, at most ``controlFrameBytesMax`` bytes.
    public static func closeFrame(
        _ code: CloseCode?,
        reason: String = "",
        maskingKey: MaskingKey? = nil
    ) -> [UInt8] {
        guard let code else {
            return frame(RawSpan(), opcode: .close, maskingKey: maskingKey)
        }
        precondition(code.isValidOnWire, "close code \(code) is not allowed on the wire")
        var payload = [UInt8(code.rawValue >> 8), UInt8(truncatingIfNeeded: code.rawValue)]
        for scalar in reason.unicodeScalars {
            let bytes = UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter
            guard payload.count + bytes.count <= closeReasonBytesMax + 2 else { break }
            payload += bytes
        }
        return frame(payload.span.bytes, opcode: .close, maskingKey: maskingKey)
    }

    /// Makes a whole, unfragmented frame; for where the allocation does not matter.
    public static func frame(
        _ payload: RawSpan,
        opcode: Opcode,
        isCompressed: Bool = false,
        maskingKey: MaskingKey? = nil
    ) -> [UInt8] {
        let role: Role = maskingKey == nil ? .server : .client
        let count = headerBytes(payloadBytes: payload.byteCount, role: role) + payload.byteCount
        return [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            // unsafe: encode writes exactly `count` bytes, or traps.
            initialized = encode(
                payload,
                opcode: opcode,
                isCompressed: isCompressed,
                maskingKey: maskingKey,
                into: UnsafeMutableRawBufferPointer(buffer)
            )
        }
    }
}
