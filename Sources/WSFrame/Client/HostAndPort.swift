/// The host and port of an authority (RFC 3986 §3.2), read strictly.
package struct HostAndPort: Hashable, Sendable {
    /// The port of `ws` and `http`.
    package static let defaultPort: UInt16 = 80

    /// A name or a numeric address, an IPv6 one without its brackets.
    package let host: String
    package let port: UInt16

    /// - Parameter text: The authority without user and password.
    /// - Throws: ``WebSocketURLError``
    package init(_ text: some Collection<UInt8>) throws(WebSocketURLError) {
        let text = Array(text)
        let rest: ArraySlice<UInt8>
        if text.first == UInt8(ascii: "[") {
            guard let end = text.firstIndex(of: UInt8(ascii: "]")), Self.isIPv6(text[1..<end])
            else {
                throw WebSocketURLError(.host)
            }
            host = String(decoding: text[1..<end], as: UTF8.self)
            rest = text[(end + 1)...]
        } else {
            let end = text.firstIndex(of: UInt8(ascii: ":")) ?? text.count
            guard Self.isName(text[..<end]) else { throw WebSocketURLError(.host) }
            host = String(decoding: text[..<end], as: UTF8.self)
            rest = text[end...]
        }
        guard !rest.isEmpty else {
            port = Self.defaultPort
            return
        }
        guard rest.first == UInt8(ascii: ":") else { throw WebSocketURLError(.host) }
        port = try Self.port(rest.dropFirst())
    }

    private var bracketed: String { host.contains(":") ? "[\(host)]" : host }

    /// With the port, as CONNECT wants it (RFC 9110 §9.3.6).
    package var authority: String { "\(bracketed):\(port)" }

    /// As `Host` says it: without the scheme's own port.
    package var field: String { port == Self.defaultPort ? bracketed : authority }

    /// An empty port is the scheme's own (RFC 3986 §3.2.3).
    private static func port(_ digits: ArraySlice<UInt8>) throws(WebSocketURLError) -> UInt16 {
        guard !digits.isEmpty else { return defaultPort }
        var value = 0
        for digit in digits {
            guard isDigit(digit) else { throw WebSocketURLError(.port) }
            value = value * 10 + Int(digit - 0x30)
            guard value <= Int(UInt16.max) else { throw WebSocketURLError(.port) }
        }
        guard let port = UInt16(exactly: value), port > 0 else { throw WebSocketURLError(.port) }
        return port
    }

    // MARK: - Hosts

    private static func isDigit(_ byte: UInt8) -> Bool { byte >= 0x30 && byte <= 0x39 }

    static func isHexDigit(_ byte: UInt8) -> Bool {
        isDigit(byte) || byte | 0x20 >= 0x61 && byte | 0x20 <= 0x66
    }

    /// Labels of letters, digits, hyphens and underscores, at most 253 bytes (RFC 1123 §2.1).
    ///
    /// A name whose last label is a number has to be four of them up to 255: resolvers take `127.1`
    /// and `0x7f.1` for addresses, and whoever checked the name did not.
    private static func isName(_ text: ArraySlice<UInt8>) -> Bool {
        let name = text.last == UInt8(ascii: ".") ? text.dropLast() : text
        guard !name.isEmpty, name.count <= 253 else { return false }
        let labels = name.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        let isValid = labels.allSatisfy { label in
            !label.isEmpty && label.count <= 63
                && label.allSatisfy {
                    isDigit($0) || $0 | 0x20 >= 0x61 && $0 | 0x20 <= 0x7A
                        || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "_")
                }
        }
        guard isValid, let last = labels.last else { return false }
        let isHexNumber =
            last.starts(with: [0x30, 0x78]) || last.starts(with: [0x30, 0x58])
        let isNumber =
            last.allSatisfy(isDigit) || isHexNumber && last.dropFirst(2).allSatisfy(isHexDigit)
        return !isNumber || isIPv4(text)
    }

    /// Four decimal numbers up to 255 without leading zeros (RFC 3986 §3.2.2).
    private static func isIPv4(_ text: ArraySlice<UInt8>) -> Bool {
        let parts = text.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        return parts.count == 4
            && parts.allSatisfy { part in
                guard (1...3).contains(part.count), part.allSatisfy(isDigit) else { return false }
                let value = part.reduce(0) { $0 * 10 + Int($1 - 0x30) }
                return value <= 255 && (part.count == 1 || part.first != 0x30)
            }
    }

    /// Eight groups, or fewer around one `::`; the last two may be written as IPv4 (RFC 4291 §2.2).
    /// A zone is not taken: it means something on one machine only.
    static func isIPv6(_ text: ArraySlice<UInt8>) -> Bool {
        let colon = UInt8(ascii: ":")
        guard text.count >= 2 else { return false }
        var halves: [ArraySlice<UInt8>] = [text]
        var index = text.startIndex
        while index + 1 < text.endIndex {
            if text[index] == colon, text[index + 1] == colon {
                halves = [text[..<index], text[(index + 2)...]]
                break
            }
            index += 1
        }
        var groups = 0
        for (position, half) in halves.enumerated() where !half.isEmpty {
            let parts = half.split(separator: colon, omittingEmptySubsequences: false)
            for (number, part) in parts.enumerated() {
                let isLast = position == halves.count - 1 && number == parts.count - 1
                if isLast, isIPv4(part) {
                    groups += 2
                } else if (1...4).contains(part.count), part.allSatisfy(isHexDigit) {
                    groups += 1
                } else {
                    return false
                }
            }
        }
        return halves.count == 1 ? groups == 8 : groups <= 7
    }
}
