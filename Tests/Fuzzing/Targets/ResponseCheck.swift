import WSFrame

/// A client's reading of the answer to its handshake: each byte is looked at a bounded number of
/// times, what it says is the same however it is cut, and what it agrees on is what was offered.
enum ResponseCheck {
    // Two bytes choose limits, offer and cuts, the rest is the stream.
    static func finding(in input: [UInt8]) -> String? {
        guard input.count > 2 else { return nil }
        let stream = Array(input[2...])
        let whole = said(of: stream, choice: input[0], .none)
        for cuts in [Cuts.everywhere, .seeded(input[1])] {
            let parts = said(of: stream, choice: input[0], cuts)
            if parts != whole { return "\(cuts): \(parts) but whole \(whole)" }
        }
        return whole.hasPrefix("broken: ") ? whole : nil
    }

    private static func said(of stream: [UInt8], choice: UInt8, _ cuts: Cuts) -> String {
        let offered = choice & 2 != 0 ? CompressionChoice.configuration(choice) : nil
        var request = WebSocketRequest(host: "example.com")
        request.subprotocols = ["chat", "superchat"]
        request.compression = offered.map { .with($0) } ?? .off
        var limits = HTTPLimits()
        if choice & 1 != 0 {
            limits = HTTPLimits(
                requestLineBytesMax: 40, headerLineBytesMax: 60, headersMax: 4, headBytesMax: 150)
        }
        var handshake: WebSocketClientHandshake
        do throws(WebSocketRequestError) {
            // A nonce that is always the same, so that an answer can be a case.
            handshake = try WebSocketClientHandshake(
                request, nonce: [16 of UInt8](repeating: 0x41), limits: limits)
        } catch {
            return "\(error)"
        }
        var said = "incomplete"
        var consumed = 0
        cuts.forEachPiece(of: stream) { piece in
            let examined = handshake.bytesExamined
            do throws(WebSocketHandshakeError) {
                switch try handshake.receive(piece.span.bytes) {
                case .needsMore:
                    consumed += piece.count
                    // A line is looked at once more when it ends.
                    let looks = handshake.bytesExamined - examined
                    guard looks > piece.count + limits.headBytesMax else { return true }
                    said = "broken: \(looks) looks at \(piece.count) bytes"
                case .opened(let opening, let count):
                    consumed += count
                    said =
                        (1...piece.count).contains(count)
                        ? describe(opening, offered) + " at \(consumed)"
                        : "broken: \(count) of \(piece.count) bytes consumed"
                }
            } catch {
                said = "\(error)"
            }
            return false
        }
        return said
    }

    private static func describe(
        _ opening: WebSocketOpening, _ offered: CompressionConfiguration?
    ) -> String {
        if let agreed = opening.compression {
            guard let offered else { return "broken: \(agreed) although nothing was offered" }
            if let defect = CompressionChoice.defect(of: agreed, for: .client, offered) {
                return defect
            }
        }
        let headers = (0..<opening.head.headersCount).map { opening.head.header(at: $0) }
        let compression = opening.compression?.headerValue ?? "no compression"
        return "opened with \(opening.subprotocol ?? "none"), \(compression), \(headers)"
    }
}
