import NetPoll
import NetPollTesting
import Testing
import WSFrame
import WSTransport

/// A client's end of what was agreed on, to read and write frames with.
final class CompressingPeer {
    static let offer = "permessage-deflate; client_max_window_bits"

    let peer: SimulatedPeer
    let codec: DeflateCodec?
    private var state: ClientProtocol

    convenience init(_ bench: Bench, offering offer: String? = offer) throws {
        try self.init(bench.connect(), bench.network, offering: offer)
    }

    init(
        _ peer: SimulatedPeer, _ network: SimulatedNetwork, offering offer: String? = offer
    ) throws {
        self.peer = peer
        let line = offer.map { "Sec-WebSocket-Extensions: \($0)\r\n\r\n" } ?? "\r\n"
        peer.send(Array(Bench.upgrade.dropLast(2)) + Array(line.utf8))
        let isAnswered = network.run(within: .seconds(60)) { peer.text.contains("\r\n\r\n") }
        #expect(isAnswered)
        let answer = String(decoding: peer.takeReceived(), as: UTF8.self)
        #expect(answer.hasPrefix("HTTP/1.1 101 "))
        guard answer.contains("Sec-WebSocket-Extensions: permessage-deflate") else {
            codec = nil
            state = ClientProtocol(configuration: ProtocolConfiguration())
            return
        }
        let agreed = PerMessageDeflate(
            serverNoContextTakeover: answer.contains("server_no_context_takeover"),
            clientNoContextTakeover: answer.contains("client_no_context_takeover"))
        var configuration = CompressionConfiguration()
        configuration.thresholdBytes = 0
        let codec = DeflateCodec(
            agreed, role: .client, configuration: configuration, pool: DeflatePool())
        self.codec = codec
        state = ClientProtocol(configuration: ProtocolConfiguration(), deflate: codec)
    }

    func send(_ text: String) { peer.send(frame(text)) }

    func frame(_ text: String) -> [UInt8] {
        let bytes = Array(text.utf8)
        let compressed = codec?.compressed(bytes.span.bytes)
        let payload = compressed.map { Array($0) } ?? bytes
        return FrameEncoder.frame(
            payload.span.bytes, opcode: .text, isCompressed: compressed != nil,
            maskingKey: MaskingKey(1, 2, 3, 4))
    }

    /// The first byte of each frame in `bytes`, which end with a frame.
    func frameHeads(in bytes: [UInt8]) -> [UInt8] {
        var heads: [UInt8] = []
        var decoder = FrameDecoder(role: .client)
        var start = 0
        var cursor = 0
        while let event = try? decoder.next(
            in: bytes.span.bytes, at: &cursor, limits: ProtocolLimits(), compression: codec?.agreed)
        {
            if case .header = event { heads.append(bytes[start]) }
            start = cursor
        }
        return heads
    }

    /// The first bytes of the frames received, and their messages.
    func receive() throws -> [(first: UInt8?, text: String)] {
        var received = peer.takeReceived()
        let first = received.first
        var texts: [String] = []
        var span = received.mutableSpan
        var bytes = span.mutableBytes
        var cursor = 0
        while let event = try state.next(in: &bytes, at: &cursor) {
            guard case .message(_, let payload) = event else { continue }
            texts.append(
                state.withPayload(payload, in: bytes) { payload in
                    payload.withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
                })
        }
        return texts.map { (first, $0) }
    }
}
