import WSFrame

/// The parser of request heads: each byte is looked at a bounded number of times, what it says is
/// the same however the head is cut, and what it lets through is a head that can be read. What is
/// agreed on for an upgrade is no more than this end wants.
enum RequestCheck {
    // Two bytes choose limits, compression and cuts, the rest is the stream.
    static func finding(in input: [UInt8]) -> String? {
        guard input.count > 2 else { return nil }
        let stream = Array(input[2...])
        let whole = said(of: stream, choice: input[0], .none)
        for cuts in [Cuts.everywhere, .seeded(input[1])] {
            let parts = said(of: stream, choice: input[0], cuts)
            if parts != whole { return "\(cuts): \(parts) but whole \(whole)" }
        }
        // No request begins so: a method has no colon.
        return whole.first { $0.hasPrefix("broken: ") }
    }

    /// Every request in the stream, and the error that ends it.
    private static func said(of stream: [UInt8], choice: UInt8, _ cuts: Cuts) -> [String] {
        let wanted = CompressionChoice.configuration(choice)
        let limits =
            choice & 1 != 0
            ? HTTPLimits(
                requestLineBytesMax: 40, headerLineBytesMax: 50, headersMax: 4, headBytesMax: 120)
            : HTTPLimits()
        var said: [String] = []
        var consumed = 0
        var parser = HTTPRequestParser(limits: limits)
        cuts.forEachPiece(of: stream) { piece in
            var start = 0
            do throws(HTTPParseError) {
                while start < piece.count {
                    let rest = piece.span.bytes.extracting(droppingFirst: start)
                    let examined = parser.bytesExamined
                    guard case .request(let request, let count) = try parser.parse(rest) else {
                        consumed += piece.count - start
                        let looks = parser.bytesExamined - examined
                        // A line is looked at once more when it ends, a head before where it might be there whole.
                        if looks > rest.byteCount + 3 * limits.headBytesMax {
                            said.append("broken: \(looks) looks at \(rest.byteCount) bytes")
                        }
                        return true
                    }
                    start += count
                    consumed += count
                    said.append("\(describe(request, wanted)) at \(consumed)")
                    if count == 0 {
                        said.append("broken: a request that consumed nothing")
                        return false
                    }
                }
                return true
            } catch {
                said.append("\(error)")
                return false
            }
        }
        return said
    }

    private static func describe(
        _ request: HTTPRequest, _ wanted: CompressionConfiguration
    ) -> String {
        var parts = ["\(request.method) \(request.target) \(request.version)"]
        parts.append("path \(request.path) query \(request.query ?? "none")")
        for index in 0..<request.headersCount {
            let header = request.header(at: index)
            parts.append("\(header.name): \(header.value)")
        }
        parts.append("body \(request.body), keeps alive \(request.keepsAlive)")
        do throws(HandshakeRejection) {
            let upgrade = try WebSocketHandshake.validate(request)
            let agreed = upgrade.compression(wanted)
            if let agreed,
                let defect = CompressionChoice.defect(of: agreed, for: .server, wanted)
            {
                return defect
            }
            let response = upgrade.response(
                subprotocol: upgrade.subprotocols.first, compression: agreed)
            parts.append(String(decoding: response, as: UTF8.self))
        } catch {
            parts.append("\(error)")
        }
        return parts.joined(separator: "; ")
    }
}
