import WSFrame

/// A client's reading of the answer to its handshake: the same however it is cut.
enum ResponseCheck {
    // Two bytes choose limits and cuts, the rest is the stream.
    static func finding(in input: [UInt8]) -> String? {
        guard input.count > 2 else { return nil }
        let stream = Array(input[2...])
        let whole = said(of: stream, isSmall: input[0] & 1 != 0, .none)
        for cuts in [Cuts.everywhere, .seeded(input[1])] {
            let parts = said(of: stream, isSmall: input[0] & 1 != 0, cuts)
            if parts != whole { return "\(cuts): \(parts) but whole \(whole)" }
        }
        return nil
    }

    private static func said(of stream: [UInt8], isSmall: Bool, _ cuts: Cuts) -> String {
        var request = WebSocketRequest(host: "example.com")
        request.subprotocols = ["chat", "superchat"]
        var limits = HTTPLimits()
        if isSmall {
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
            do throws(WebSocketHandshakeError) {
                guard case .opened(let opening, let count) = try handshake.receive(piece.span.bytes)
                else {
                    consumed += piece.count
                    return true
                }
                consumed += count
                let headers = (0..<opening.head.headersCount).map { opening.head.header(at: $0) }
                said = "opened at \(consumed), \(opening.subprotocol ?? "none"), \(headers)"
                return false
            } catch {
                said = "\(error)"
                return false
            }
        }
        return said
    }
}
