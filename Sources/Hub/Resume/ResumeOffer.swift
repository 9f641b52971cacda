import WSFrame

/// A resume token in the request for a connection, where it stands as one more subprotocol: pages in
/// browsers can set no other field of that request, and a query would end up in logs.
///
/// It shows that the client comes back, no more: the session goes on by ``ClientEnvelope/resume(_:)``.
package enum ResumeOffer {
    private static let prefix = "longwire.resume."
    /// The longest token that is offered, in bytes, so that the request's head stays within what
    /// servers and proxies take.
    package static let tokenBytesMax = 4_096

    /// The subprotocol that offers a token; `nil` for a longer one, and for one of other bytes than
    /// letters, digits, `-`, `_` and `.`: a request must not be sent with every byte (RFC 6455 §4.1).
    package static func subprotocol(for token: String) -> String? {
        let bytes = token.utf8
        guard (1...tokenBytesMax).contains(bytes.count), bytes.allSatisfy(isOffered) else {
            return nil
        }
        return prefix + token
    }

    private static func isOffered(_ byte: UInt8) -> Bool {
        switch Unicode.Scalar(byte) {
        case "a"..."z", "A"..."Z", "0"..."9", "-", "_", ".": true
        default: false
        }
    }

    /// The token that a request offers.
    static func token(in request: HTTPRequest) -> String? {
        guard let names = request.header("Sec-WebSocket-Protocol") else { return nil }
        for name in names.utf8.split(separator: UInt8(ascii: ",")) {
            let name = Substring(name).drop { $0 == " " || $0 == "\t" }
            guard name.utf8.starts(with: prefix.utf8) else { continue }
            let token = name.dropFirst(prefix.utf8.count).prefix { $0 != " " && $0 != "\t" }
            return token.utf8.count <= tokenBytesMax ? String(token) : nil
        }
        return nil
    }
}
