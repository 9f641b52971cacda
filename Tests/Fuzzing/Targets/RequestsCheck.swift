import WSFrame

/// The reader of a connection's requests: it goes on with every call until the input is consumed,
/// says the same however the bytes are cut, and lets no body grow beyond its bound.
enum RequestsCheck {
    // Two bytes choose limits and cuts, the rest is the stream.
    static func finding(in input: [UInt8]) -> String? {
        guard input.count > 2 else { return nil }
        let stream = Array(input[2...])
        let whole = said(of: stream, isSmall: input[0] & 1 != 0, .none)
        if let stuck = whole.first(where: { $0.hasPrefix("\n") }) { return stuck }
        for cuts in [Cuts.everywhere, .seeded(input[1])] {
            let parts = said(of: stream, isSmall: input[0] & 1 != 0, cuts)
            if parts != whole { return "\(cuts): \(parts) but whole \(whole)" }
        }
        return nil
    }

    /// Every request in the stream with its body, and the error that ends it.
    private static func said(of stream: [UInt8], isSmall: Bool, _ cuts: Cuts) -> [String] {
        let limits =
            isSmall
            ? HTTPLimits(
                requestLineBytesMax: 40, headerLineBytesMax: 50, headersMax: 4, headBytesMax: 120,
                bodyBytesMax: 20, chunkLineBytesMax: 10, chunkExtensionsBytesMax: 15)
            : HTTPLimits()
        // A line break begins what must not be: no method begins with one.
        var said: [String] = []
        var reader = HTTPRequestReader(limits: limits)
        var (body, consumed) = ([UInt8](), 0)
        cuts.forEachPiece(of: stream) { piece in
            var cursor = 0
            do throws(HTTPParseError) {
                while true {
                    let before = cursor
                    guard let event = try reader.next(in: piece.span.bytes, at: &cursor) else {
                        consumed += piece.count
                        if cursor != piece.count {
                            said.append("\n\(cursor) of \(piece.count) read")
                        }
                        return true
                    }
                    switch event {
                    case .head(let request):
                        body = []
                        said.append("\(request.method) \(request.target) at \(consumed + cursor)")
                        if cursor == before { said.append("\na head that consumed nothing") }
                    case .body(let range):
                        body += piece[range]
                        if range.isEmpty || range.upperBound > cursor || range.lowerBound < before {
                            said.append("\na body in \(range) between \(before) and \(cursor)")
                        }
                        if body.count > limits.bodyBytesMax { said.append("\nan oversized body") }
                    case .end:
                        let trailers = reader.trailers.map { "\($0.name): \($0.value)" }
                        said.append("\(body), \(trailers), to \(consumed + cursor)")
                    }
                }
            } catch {
                said.append("\(error)")
                return false
            }
        }
        return said
    }
}
