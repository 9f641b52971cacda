@testable import RPC

/// A frame and a copy of its data.
struct Frame: Hashable {
    var header: FrameHeader
    var data: [UInt8]

    init(_ header: FrameHeader, _ data: [UInt8]) {
        self.header = header
        self.data = data
    }

    init(
        _ type: FrameType, stream: UInt32, flags: FrameFlags = [], _ data: [UInt8] = []
    ) {
        header = FrameHeader(dataBytes: data.count, stream: stream, type: type, flags: flags)
        self.data = data
    }

    var bytes: [UInt8] {
        var bytes = [UInt8](repeating: 0, count: FrameHeader.bytes)
        bytes.withUnsafeMutableBytes { buffer in
            if let base = buffer.baseAddress { header.write(to: base) }
        }
        return bytes + data
    }
}

extension FrameDecoder {
    /// All frames that end in `bytes`; skipped ones come without data.
    mutating func frames(in bytes: [UInt8]) throws(ProtocolViolation) -> [Frame] {
        var frames: [Frame] = []
        var cursor = 0
        var violation: ProtocolViolation?
        bytes.withUnsafeBytes { input in
            do throws(ProtocolViolation) {
                while let event = try next(in: input, at: &cursor) {
                    switch event {
                    case .frame(let header, .input(let range)):
                        frames.append(Frame(header, Array(input[range])))
                    case .frame(let header, .kept): frames.append(Frame(header, Array(kept)))
                    case .oversized(let header): frames.append(Frame(header, []))
                    }
                }
            } catch {
                violation = error
            }
        }
        if let violation { throw violation }
        return frames
    }
}

/// Frames that hold calls, as the library itself writes them.
enum Sample {
    /// So many bytes that differ from each other; made by doubling, which is fast unoptimised too.
    static func text(_ count: Int) -> [UInt8] {
        var text = (0..<251).map { UInt8($0) }
        while text.count < count { text += text }
        return Array(text[..<count])
    }

    static func request(
        _ stream: UInt32, flags: FrameFlags = [], service: String = "a.B", method: String = "C",
        timeout: Int64 = 0, metadata: RPCMetadata = [:], announces: Bool = false,
        _ payload: [UInt8] = []
    ) -> Frame {
        let head = RequestHead(
            name: EncodedName(service: service, method: method), timeoutNanoseconds: timeout,
            metadata: metadata.fields, announces: announces, payloadBytes: payload.count)
        var bytes = [UInt8](repeating: 0, count: head.count)
        bytes.withUnsafeMutableBytes { buffer in
            if let base = buffer.baseAddress {
                head.write(to: base, stream: stream, flags: flags)
            }
        }
        let header = FrameHeader(
            dataBytes: head.dataBytes, stream: stream, type: .request, flags: flags)
        return Frame(header, Array(bytes[FrameHeader.bytes...]) + payload)
    }

    static func response(
        _ stream: UInt32, status: RPCError? = nil, _ payload: [UInt8] = []
    ) -> Frame {
        let head = ResponseHead(status: status, payloadBytes: payload.count)
        var bytes = [UInt8](repeating: 0, count: head.count)
        bytes.withUnsafeMutableBytes { buffer in
            if let base = buffer.baseAddress { head.write(to: base, stream: stream) }
        }
        let header = FrameHeader(dataBytes: head.dataBytes, stream: stream, type: .response)
        return Frame(header, Array(bytes[FrameHeader.bytes...]) + payload)
    }

    static func control(_ frame: ControlFrame) throws -> Frame {
        var decoder = FrameDecoder()
        return try decoder.frames(in: frame.bytes)[0]
    }
}
