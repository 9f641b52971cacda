import WSFrame

private let key = MaskingKey(0x37, 0xFA, 0x21, 0x3D)

/// Masked frames of a client: their headers alone, and whole messages.
func measureFrames(_ bench: Bench) {
    for size in [0, 16, 64, 125, 126, 1 << 10, 64 << 10] {
        let payload = [UInt8](repeating: 0x61, count: size)
        let frame = FrameEncoder.frame(payload.span.bytes, opcode: .binary, maskingKey: key)
        let count = max(1, min(4_096, (512 << 10) / frame.count))
        // So many headers that beginning with them weighs nothing; their payloads are not touched.
        let headers = max(count, 63)
        let long = (0..<headers).flatMap { _ in frame }
        bench.count("decode frames", "FrameDecoder", size, count: headers) {
            keep(decodeHeaders(long))
        }
        var stream = (0..<count).flatMap { _ in frame }
        // Unmasked in place by every other call, masked again by the one after.
        bench.count("decode messages", "ServerProtocol", size, count: count) {
            keep(decodeMessages(&stream))
        }
    }
}

private let limits = ProtocolLimits(framePayloadBytesMax: 1 << 20)

/// How many payload bytes the frames of `stream` announce.
@inline(never)
private func decodeHeaders(_ stream: [UInt8]) -> Int {
    // A global is asked for by a call each time.
    let limits = limits
    var decoder = FrameDecoder(role: .server)
    var cursor = 0
    var total = 0
    do throws(ProtocolViolation) {
        while let event = try decoder.next(in: stream.span.bytes, at: &cursor, limits: limits) {
            if case .payload(let range, _, _) = event { total += range.count }
        }
    } catch {
        preconditionFailure("\(error)")
    }
    return total
}

private let configuration = ProtocolConfiguration(limits: limits)

@inline(never)
private func decodeMessages(_ stream: inout [UInt8]) -> Int {
    var framing = ServerProtocol(configuration: configuration)
    var cursor = 0
    var total = 0
    var span = stream.mutableSpan
    var bytes = span.mutableBytes
    do throws(ProtocolViolation) {
        while let event = try framing.next(in: &bytes, at: &cursor) {
            if case .message(_, .input(let range)) = event { total += range.count }
        }
    } catch {
        preconditionFailure("\(error)")
    }
    return total
}
