/// A valid upgrade request, ready to be answered (RFC 6455 §4.2.2).
public struct WebSocketUpgrade: Hashable, Sendable {
    /// The value of `Sec-WebSocket-Accept`.
    let acceptValue: [UInt8]
    /// What the client offers in `Sec-WebSocket-Protocol`, in its order of preference.
    public let subprotocols: [String]
    /// The offers of `permessage-deflate`, in the client's order of preference.
    let compressionOffers: [DeflateParameters]

    /// Agrees on compression with the client (RFC 7692 §5.1, §7.1).
    ///
    /// An offer with a parameter that is unknown, there twice or of a wrong value is passed over.
    ///
    /// - Parameter configuration: What this side wants and grants.
    /// - Returns: What to hand to ``response(subprotocol:compression:headers:)``; `nil` where the
    ///   client offers nothing that can be had.
    public func compression(_ configuration: CompressionConfiguration) -> PerMessageDeflate? {
        configuration.check()
        return configuration.accepted(among: compressionOffers)
    }

    /// The first subprotocol of the client's that is in `supported`, or `nil` if none is.
    ///
    /// Complexity: O(offered × supported).
    public func preferredSubprotocol(among supported: [String]) -> String? {
        subprotocols.first { supported.contains($0) }
    }

    /// Encodes the answer that opens the WebSocket; frames follow it.
    ///
    /// - Parameters:
    ///   - subprotocol: One of ``subprotocols``, or `nil` for none. Traps if the client did not
    ///     offer it.
    ///   - compression: What was agreed on, or `nil` for none. Traps if the client offered none.
    ///   - headers: More headers, such as cookies. What the handshake says itself, and what would
    ///     announce a body, is left out: `Upgrade`, `Connection`, `Content-Length`,
    ///     `Transfer-Encoding` and `Sec-WebSocket-…`.
    /// - Returns: A response of status 101.
    public func response(
        subprotocol: String? = nil, compression: PerMessageDeflate? = nil,
        headers: [HTTPHeader] = []
    ) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(256)
        let start: StaticString =
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
        // unsafe: a StaticString of ASCII has a pointer to its code units.
        bytes += UnsafeBufferPointer(start: start.utf8Start, count: start.utf8CodeUnitCount)
        bytes += acceptValue
        Self.endLine(&bytes)
        if let subprotocol {
            precondition(
                subprotocols.contains(subprotocol), "subprotocol \(subprotocol) was not offered")
            // Offered, hence a token: it cannot carry a line end.
            bytes += "Sec-WebSocket-Protocol: ".utf8
            bytes += subprotocol.utf8
            Self.endLine(&bytes)
        }
        if let compression {
            precondition(!compressionOffers.isEmpty, "compression was not offered")
            bytes += "Sec-WebSocket-Extensions: \(compression.headerValue)".utf8
            Self.endLine(&bytes)
        }
        for header in headers where !Self.isOfHandshake(header.name) {
            HTTPResponse.append(header, to: &bytes)
        }
        Self.endLine(&bytes)
        return bytes
    }

    private static func endLine(_ bytes: inout [UInt8]) {
        bytes.append(0x0D)
        bytes.append(0x0A)
    }

    /// Whether a header of this name is the handshake's own business, or frames a body, which no 101
    /// has (RFC 9110 §8.6, RFC 9112 §6.1).
    static func isOfHandshake(_ name: String) -> Bool {
        let name = name.lowercased()
        return ["upgrade", "connection", "content-length", "transfer-encoding"].contains(name)
            || name.hasPrefix("sec-websocket-")
    }
}
