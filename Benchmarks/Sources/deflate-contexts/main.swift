import WSFrame

// What one compression context takes: bytes of memory that a context to send and one to receive add, each used once.
//
// One process for each setting, so that no memory is used again.

let arguments = CommandLine.arguments.dropFirst().compactMap { Int($0) }
guard arguments.count == 4, CommandLine.arguments.count == 5, (9...15).contains(arguments[0]),
    (1...9).contains(arguments[1]), arguments[2] > 0, arguments[3] > 0
else {
    preconditionFailure("usage: deflate-contexts WINDOW_BITS MEMORY_LEVEL CONTEXTS MESSAGE_BYTES")
}
let (bits, level, count, messageBytes) = (arguments[0], arguments[1], arguments[2], arguments[3])

var configuration = CompressionConfiguration()
configuration.ownContextTakeover = true
configuration.peerContextTakeover = true
configuration.ownWindowBitsMax = bits
configuration.peerWindowBitsMax = bits
configuration.memoryLevel = level
let agreed = PerMessageDeflate(serverWindowBits: bits, clientWindowBits: bits)

/// Words in an order that does not repeat: what fills windows and tables, and becomes smaller.
func makeMessage() -> [UInt8] {
    var state: UInt32 = 1
    var text: [UInt8] = []
    while text.count < messageBytes {
        state = state &* 1_664_525 &+ 1_013_904_223
        text += Array("word\(state >> 22) ".utf8)
    }
    return Array(text.prefix(messageBytes))
}

let message = makeMessage()
let pool = DeflatePool()

func codec(_ role: Role) -> DeflateCodec {
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
func makeFrame() -> [UInt8] {
    guard let compressed = codec(.client).compressed(message.span.bytes) else {
        preconditionFailure("a message that is not compressed")
    }
    return FrameEncoder.frame(
        compressed.bytes, opcode: .text, isCompressed: true, maskingKey: MaskingKey(1, 2, 3, 4))
}

let frame = makeFrame()

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

print("\(growth(of: sent))\t\(growth(of: received))")
