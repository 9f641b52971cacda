package import NetPollTesting
package import WSFrame

/// A WebSocket client on a simulated peer: sends text, and takes received frames apart.
package final class TextClient {
    private static let upgrade = Array(
        """
        GET /ws HTTP/1.1\r
        Host: localhost\r
        Upgrade: websocket\r
        Connection: Upgrade\r
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r
        Sec-WebSocket-Version: 13\r
        \r\n
        """.utf8)

    package let peer: SimulatedPeer
    package private(set) var isUpgraded = false
    /// Text messages, in the order they came.
    package private(set) var texts: [String] = []
    /// The code of the server's close frame.
    package private(set) var closeCode: UInt16?
    /// Whether a close frame is answered, as the protocol demands.
    package var answersClose = true
    /// Whether pings are answered.
    package var answersPings = true

    /// What to say to a message, if anything.
    package var answer: ((String) -> String?)?

    private var bytes: [UInt8] = []

    package init(peer: SimulatedPeer) {
        self.peer = peer
        peer.onReceive = { [weak self] in self?.take($0) }
    }

    package func requestUpgrade() {
        peer.send(Self.upgrade)
    }

    /// Asks for a WebSocket with a query and a subprotocol.
    package func requestUpgrade(query: String, subprotocol: String) {
        let head = String(decoding: Self.upgrade, as: UTF8.self)
            .split(separator: "\r\n", maxSplits: 1, omittingEmptySubsequences: false)
        let rest = head.count > 1 ? head[1] : ""
        let lines =
            "GET /ws?\(query) HTTP/1.1\r\nSec-WebSocket-Protocol: \(subprotocol)\r\n\(rest)"
        peer.send(Array(lines.utf8))
    }

    package func dropFirstText() { texts.removeFirst() }

    package func say(_ text: String) {
        send(Array(text.utf8), .text)
    }

    package func send(_ payload: [UInt8], _ opcode: Opcode) {
        guard closeCode == nil || opcode == .close else { return }
        peer.send(
            FrameEncoder.frame(
                payload.span.bytes, opcode: opcode, maskingKey: MaskingKey(1, 2, 3, 4)))
    }

    package func takeTexts() -> [String] {
        defer { texts = [] }
        return texts
    }

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
            case 0x8:
                if payload.count >= 2 { closeCode = UInt16(payload[0]) << 8 | UInt16(payload[1]) }
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
