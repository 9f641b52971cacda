import AllocationCounter
import Testing
import WSFrame

@Suite("Allocations of the codec", .enabled(if: allocation_counter_is_active()))
struct AllocationTests {
    private static let key = MaskingKey(1, 2, 3, 4)
    private static let configuration = ProtocolConfiguration()
    private static let text = Array("Some ASCII, äöü, 漢字 and 🙂; ".utf8)

    private func used(_ body: () throws -> Void) rethrows -> UInt64 {
        try body()
        let before = allocation_counter_count()
        try body()
        return allocation_counter_count() - before
    }

    /// Messages of every length of header, and control frames between them.
    private func stream(masked: Bool) -> [UInt8] {
        let key = masked ? Self.key : nil
        var stream: [UInt8] = []
        for count in [0, 5, 125, 126, 5_000, 70_000] {
            let text = (0..<count).map { Self.text[$0 % Self.text.count] & 0x7F }
            stream += FrameEncoder.frame(text.span.bytes, opcode: .binary, maskingKey: key)
            stream += FrameEncoder.frame(Self.text.span.bytes, opcode: .text, maskingKey: key)
            stream += FrameEncoder.frame(RawSpan(), opcode: .ping, maskingKey: key)
            stream += FrameEncoder.frame(RawSpan(), opcode: .pong, maskingKey: key)
        }
        return stream
    }

    @Test func `a counter that moves`() {
        #expect(used { _ = stream(masked: true) } > 0)
    }

    @Test(arguments: [Role.server, .client])
    func `headers are decoded without any`(role: Role) throws {
        let stream = stream(masked: role == .server)
        var payloadBytes = 0
        let used = try used {
            var decoder = FrameDecoder(role: role)
            var cursor = 0
            while let event = try decoder.next(
                in: stream.span.bytes, at: &cursor, limits: Self.configuration.limits)
            {
                if case .payload(let range, _, _) = event { payloadBytes += range.count }
            }
        }
        #expect(payloadBytes > 140_000)
        #expect(used == 0)
    }

    @Test func `a server's end reads messages and control frames without any`() throws {
        var input = stream(masked: true)
        let original = input
        var events = 0
        let used = try used {
            input.withUnsafeMutableBytes { target in
                original.withUnsafeBytes { target.copyMemory(from: $0) }
            }
            var server = ServerProtocol(configuration: Self.configuration)
            var span = input.mutableSpan
            var bytes = span.mutableBytes
            var cursor = 0
            while let event = try server.next(in: &bytes, at: &cursor) {
                if case .close = event { continue }
                events += 1
            }
        }
        #expect(events == 48)
        #expect(used == 0)
    }

    @Test func `a client's end reads messages and control frames without any`() throws {
        var input = stream(masked: false)
        var events = 0
        let used = try used {
            var client = ClientProtocol(configuration: Self.configuration)
            var span = input.mutableSpan
            var bytes = span.mutableBytes
            var cursor = 0
            while let event = try client.next(in: &bytes, at: &cursor) {
                if case .close = event { continue }
                events += 1
            }
        }
        #expect(events == 48)
        #expect(used == 0)
    }

    @Test(arguments: [0, 10, 125, 126, 70_000])
    func `frames are encoded without any`(payloadBytes: Int) {
        let payload = [UInt8](repeating: 7, count: payloadBytes)
        let frameBytes =
            FrameEncoder.headerBytes(payloadBytes: payloadBytes, role: .client) + payloadBytes
        let target = UnsafeMutableRawBufferPointer.allocate(byteCount: frameBytes, alignment: 16)
        defer { target.deallocate() }
        let used = used {
            FrameEncoder.encode(
                payload.span.bytes, opcode: .binary, maskingKey: Self.key, into: target)
        }
        #expect(used == 0)
        #expect(target[0] == 0x82)
    }

    @Test func `text in pieces is validated without any`() {
        let used = used {
            var validator = UTF8Validator()
            for start in Self.text.indices {
                let piece = Self.text.span.extracting(start..<(start + 1))
                guard validator.validate(piece.bytes) else { return }
            }
        }
        #expect(used == 0)
    }
}
