import NetPoll
import WSFrame

// Frames on their way to the peer.
extension WebSocketConnection {
    func write(
        _ payload: RawSpan, opcode: Opcode, isCompressed: Bool = false
    ) -> WriteOutcome {
        guard framing.role == .server else {
            return writeMasked(payload, opcode: opcode, isCompressed: isCompressed)
        }
        let headerBytes = FrameEncoder.headerBytes(payloadBytes: payload.byteCount)
        let header = FrameHeader(
            isCompressed: isCompressed, opcode: opcode, payloadBytes: payload.byteCount)
        return payload.withUnsafeBytes { bytes in
            if bytes.count < EventLoop.throughBytesMin,
                let place = connection.reserve(headerBytes + bytes.count)
            {
                // The place has room for header and payload: that much was reserved.
                _ = FrameEncoder.encodeHeader(header, into: place)
                if let base = bytes.baseAddress {
                    (place + headerBytes).copyMemory(from: base, byteCount: bytes.count)
                }
                return .accepted
            }
            return withUnsafeTemporaryAllocation(byteCount: FrameHeader.bytesMax, alignment: 1) {
                head in
                guard let start = head.baseAddress else { return .closed }
                let count = FrameEncoder.encodeHeader(header, into: start)
                return connection.write(
                    head: UnsafeRawBufferPointer(rebasing: head[..<count]), body: bytes)
            }
        }
    }

    func writeClose(_ code: CloseCode?, _ reason: String = "") {
        let key = framing.role == .client ? shard.maskingKey() : nil
        let frame = FrameEncoder.closeFrame(code, reason: reason, maskingKey: key)
        connection.write(frame.span.bytes)
    }

    /// Writes a client's frame, masked with a fresh key (RFC 6455 §5.3).
    private func writeMasked(
        _ payload: RawSpan, opcode: Opcode, isCompressed: Bool
    ) -> WriteOutcome {
        let key = shard.maskingKey()
        let count = payload.byteCount
        let frameBytes = FrameEncoder.headerBytes(payloadBytes: count, role: .client) + count
        if let place = connection.reserve(frameBytes) {
            let target = UnsafeMutableRawBufferPointer(start: place, count: frameBytes)
            FrameEncoder.encode(
                payload, opcode: opcode, isCompressed: isCompressed, maskingKey: key, into: target)
            return .accepted
        }
        let frame = shard.maskedFrame(bytes: frameBytes)
        frame.encode(
            payload, opcode: opcode, isCompressed: isCompressed, key: key, count: frameBytes)
        return connection.write(frame.bytes, keptAliveBy: frame)
    }
}
