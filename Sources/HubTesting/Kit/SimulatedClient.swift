public import NetPollTesting
public import WSFrame

/// A WebSocket client on a simulated peer: sends messages, and takes received frames apart.
public final class SimulatedClient {
    /// The connection's end, for what goes wrong with it: to stall, reset, vanish.
    public let peer: SimulatedPeer
    /// Whether the server agreed to the WebSocket.
    public private(set) var isUpgraded = false
    /// Text messages, in the order they came.
    public private(set) var texts: [String] = []
    /// Binary messages, in the order they came.
    public private(set) var binaries: [[UInt8]] = []
    /// The code of the server's close frame.
    public private(set) var closeCode: UInt16?
    /// The reason that frame gave; empty for none.
    public private(set) var closeReason = ""
    /// Whether a close frame is answered, as the protocol demands.
    public var answersClose = true
    /// Whether pings are answered.
    public var answersPings = true
    /// What to say to a text message, if anything.
    public var answer: ((String) -> String?)?

    private var bytes: [UInt8] = []

    /// Takes over a peer that was connected to where a hub listens.
    public init(peer: SimulatedPeer) {
        self.peer = peer
        peer.onReceive = { [weak self] in self?.take($0) }
    }

    /// Asks for a WebSocket.
    ///
    /// - Parameters:
    ///   - target: Path and query.
    ///   - subprotocol: What to ask for.
    ///   - headers: Lines of further fields, without their ends.
    public func requestUpgrade(
        _ target: String = "/ws", subprotocol: String? = nil, headers: [String] = []
    ) {
        var lines = [
            "GET \(target) HTTP/1.1", "Host: localhost", "Upgrade: websocket",
            "Connection: Upgrade", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            "Sec-WebSocket-Version: 13",
        ]
        if let subprotocol { lines.append("Sec-WebSocket-Protocol: \(subprotocol)") }
        lines += headers + ["", ""]
        peer.send(Array(lines.joined(separator: "\r\n").utf8))
    }

    /// Sends a text message.
    public func say(_ text: String) {
        send(Array(text.utf8), .text)
    }

    /// Sends one frame.
    public func send(_ payload: [UInt8], _ opcode: Opcode) {
        guard closeCode == nil || opcode == .close else { return }
        peer.send(
            FrameEncoder.frame(
                payload.span.bytes, opcode: opcode, maskingKey: MaskingKey(1, 2, 3, 4)))
    }

    /// The text messages that came since the last call.
    public func takeTexts() -> [String] {
        defer { texts = [] }
        return texts
    }

    /// The binary messages that came since the last call.
    public func takeBinaries() -> [[UInt8]] {
        defer { binaries = [] }
        return binaries
    }

    /// Forgets the first text message, such as a greeting.
    public func dropFirstText() { texts.removeFirst() }

    private func take(_ received: [UInt8]) {
        bytes += received
        if !isUpgraded {
            guard let end = bytes.firstRange(of: Array("\r\n\r\n".utf8)) else { return }
            isUpgraded = bytes.starts(with: Array("HTTP/1.1 101 ".utf8))
            bytes.removeSubrange(..<end.upperBound)
        }
        while let (opcode, payload) = takeFrame() {
            switch opcode {
            case 0x1:
                texts.append(String(decoding: payload, as: UTF8.self))
                if let reply = texts.last.flatMap({ answer?($0) }) { say(reply) }
            case 0x2: binaries.append(payload)
            case 0x8:
                if payload.count >= 2 {
                    closeCode = UInt16(payload[0]) << 8 | UInt16(payload[1])
                    closeReason = String(decoding: payload.dropFirst(2), as: UTF8.self)
                }
                guard answersClose else { break }
                send(payload, .close)
                peer.sendEnd()
            case 0x9: if answersPings { send(payload, .pong) }
            default: break
            }
        }
    }

    private func takeFrame() -> (opcode: UInt8, payload: [UInt8])? {
        guard bytes.count >= 2 else { return nil }
        let extra =
            switch bytes[1] {
            case 126: 2
            case 127: 8
            default: 0
            }
        guard bytes.count >= 2 + extra else { return nil }
        let count =
            extra == 0 ? Int(bytes[1]) : bytes[2..<2 + extra].reduce(0) { $0 << 8 | Int($1) }
        guard bytes.count >= 2 + extra + count else { return nil }
        let frame = (bytes[0] & 0xf, Array(bytes[(2 + extra)..<(2 + extra + count)]))
        bytes.removeSubrange(..<(2 + extra + count))
        return frame
    }
}
