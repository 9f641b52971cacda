import WSFrame

/// Compression contexts of one setting, each used once.
struct Contexts {
    private let configuration: CompressionConfiguration
    private let agreed: PerMessageDeflate
    private let pool = DeflatePool()
    private let message: [UInt8]
    private let count: Int
    private var frame: [UInt8] = []

    /// `count` contexts of the window and memory level, for messages of so many bytes.
    init(windowBits: Int, memoryLevel: Int, count: Int, messageBytes: Int) {
        var configuration = CompressionConfiguration()
        configuration.ownContextTakeover = true
        configuration.peerContextTakeover = true
        configuration.ownWindowBitsMax = windowBits
        configuration.peerWindowBitsMax = windowBits
        configuration.memoryLevel = memoryLevel
        self.configuration = configuration
        agreed = PerMessageDeflate(serverWindowBits: windowBits, clientWindowBits: windowBits)
        message = Self.makeMessage(bytes: messageBytes)
        self.count = count
        frame = makeFrame()
    }

    /// Words in an order that does not repeat: what fills windows and tables, and becomes smaller.
    private static func makeMessage(bytes: Int) -> [UInt8] {
        var state: UInt32 = 1
        var text: [UInt8] = []
        while text.count < bytes {
            state = state &* 1_664_525 &+ 1_013_904_223
            text += Array("word\(state >> 22) ".utf8)
        }
        return Array(text.prefix(bytes))
    }

    private func codec(_ role: Role) -> DeflateCodec {
        DeflateCodec(agreed, role: role, configuration: configuration, pool: pool)
    }

    /// A server's context, used to send.
    func sent() -> DeflateCodec {
        let codec = codec(.server)
        guard codec.compressed(message.span.bytes) != nil else {
            preconditionFailure("a message that is not compressed")
        }
        return codec
    }

    /// The message as a client's frame, the first of its context.
    private func makeFrame() -> [UInt8] {
        guard let compressed = codec(.client).compressed(message.span.bytes) else {
            preconditionFailure("a message that is not compressed")
        }
        return FrameEncoder.frame(
            compressed.bytes, opcode: .text, isCompressed: true, maskingKey: MaskingKey(1, 2, 3, 4))
    }

    /// A server's context, used to receive.
    func received() -> DeflateCodec {
        let codec = codec(.server)
        var state = ServerProtocol(configuration: ProtocolConfiguration(), deflate: codec)
        var input = frame
        var span = input.mutableSpan
        var bytes = span.mutableBytes
        var cursor = 0
        var messages = 0
        do {
            while let event = try state.next(in: &bytes, at: &cursor) {
                guard case .message = event else { preconditionFailure("\(event)") }
                messages += 1
            }
        } catch {
            preconditionFailure("\(error)")
        }
        precondition(messages == 1, "\(messages) messages")
        return codec
    }

    /// Bytes that each of the contexts which `make` makes adds to the process, behind a few before them.
    func growth(of make: () -> DeflateCodec) -> Int {
        var kept = (0..<8).map { _ in make() }
        kept.reserveCapacity(8 + count)
        let before = anonymousBytes()
        for _ in 0..<count { kept.append(make()) }
        let after = anonymousBytes()
        precondition(kept.count == 8 + count)
        return (after - before) / count
    }
}
