/// What a connection needs of a URL (RFC 3986 §3), read strictly.
package struct ConnectionURL: Hashable, Sendable {
    package let server: HostAndPort
    /// Path and query; at least a slash.
    package let target: String
    package let credentials: BasicCredentials?

    /// - Parameters:
    ///   - text: The URL.
    ///   - scheme: The one it has to have, `ws` or `http`.
    /// - Throws: ``WebSocketURLError``
    package init(_ text: String, scheme: String) throws(WebSocketURLError) {
        let bytes = Array(text.utf8)
        try Self.check(bytes)
        let colon = bytes.firstIndex(of: UInt8(ascii: ":")) ?? 0
        let found = String(decoding: bytes[..<colon], as: UTF8.self).lowercased()
        guard found != scheme + "s" else {
            throw WebSocketURLError(.needsTLS(scheme: found))
        }
        guard found == scheme else { throw WebSocketURLError(.scheme(found)) }
        let rest = bytes[(colon + 1)...]
        guard rest.starts(with: [0x2F, 0x2F]) else { throw WebSocketURLError(.host) }
        let end =
            rest.dropFirst(2).firstIndex { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "?") }
            ?? rest.endIndex
        var authority = rest[(rest.startIndex + 2)..<end]
        credentials = try Self.takeCredentials(&authority)
        server = try HostAndPort(authority)
        let tail = String(decoding: rest[end...], as: UTF8.self)
        target = tail.first == "/" ? tail : "/" + tail
    }

    /// Lets only pass what a URL may consist of.
    private static func check(_ bytes: [UInt8]) throws(WebSocketURLError) {
        for (offset, byte) in bytes.enumerated() {
            switch byte {
            case UInt8(ascii: "#"): throw WebSocketURLError(.fragment)
            case UInt8(ascii: "%"):
                let digits = bytes[(offset + 1)...].prefix(2)
                guard digits.count == 2, digits.allSatisfy(HostAndPort.isHexDigit) else {
                    throw WebSocketURLError(.percentEncoding(offset: offset))
                }
            case 0...0x20, 0x7F...0xFF, UInt8(ascii: "\""), UInt8(ascii: "<"), UInt8(ascii: ">"),
                UInt8(ascii: "\\"), UInt8(ascii: "^"), UInt8(ascii: "`"), UInt8(ascii: "{"),
                UInt8(ascii: "|"), UInt8(ascii: "}"):
                throw WebSocketURLError(.character(byte, offset: offset))
            default: continue
            }
        }
    }

    /// Takes `user:password@` off the front of an authority.
    private static func takeCredentials(
        _ authority: inout ArraySlice<UInt8>
    ) throws(WebSocketURLError) -> BasicCredentials? {
        guard let at = authority.lastIndex(of: UInt8(ascii: "@")) else { return nil }
        let userinfo = authority[..<at]
        authority = authority[(at + 1)...]
        guard !userinfo.contains(UInt8(ascii: "@")) else { throw WebSocketURLError(.userinfo) }
        guard !userinfo.isEmpty else { return nil }
        let colon = userinfo.firstIndex(of: UInt8(ascii: ":")) ?? userinfo.endIndex
        let user = try decoded(userinfo[..<colon])
        let password = try decoded(userinfo[colon...].dropFirst())
        guard !user.utf8.contains(UInt8(ascii: ":")) else { throw WebSocketURLError(.userinfo) }
        return BasicCredentials(user: user, password: password)
    }

    /// `text` without its percent-encoding, which was checked already.
    private static func decoded(_ text: ArraySlice<UInt8>) throws(WebSocketURLError) -> String {
        var bytes: [UInt8] = []
        var rest = text
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            let digits = String(decoding: rest.prefix(2), as: UTF8.self)
            rest = rest.dropFirst(2)
            guard let value = UInt8(digits, radix: 16) else { throw WebSocketURLError(.userinfo) }
            bytes.append(value)
        }
        guard bytes.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }),
            let text = String(validating: bytes, as: UTF8.self)
        else { throw WebSocketURLError(.userinfo) }
        return text
    }
}
