import NetPoll

/// Finds the client behind proxies in the values of `X-Forwarded-For`.
///
/// Each proxy adds the address it was connected from at the right, so reading from the right, every
/// address that a trusted proxy wrote can be believed; the first that is not a proxy's own is the
/// client. What stands left of it was written by strangers.
enum ForwardedFor {
    /// Follows the addresses from `peer` on to the client's.
    ///
    /// - Parameters:
    ///   - peer: Who is connected.
    ///   - values: Of each header line, in their order; each a comma-separated list.
    ///   - isTrusted: Whether an address is a trusted proxy's.
    /// - Returns: The client's address; `peer`'s own where nothing in `values` can be believed.
    ///
    /// Complexity: O(bytes of `values`).
    static func client(
        of peer: SocketAddress, values: [String], isTrusted: (SocketAddress) -> Bool
    ) -> SocketAddress {
        var client = peer
        for value in values.reversed() {
            // By bytes, here and below: a stranger's character may combine with the comma that a proxy wrote.
            let elements = value.utf8.split(
                separator: UInt8(ascii: ","), omittingEmptySubsequences: false)
            for element in elements.reversed() {
                guard isTrusted(client) else { return client }
                // A proxy that writes something else hides its client: then it is the client.
                guard let address = address(element) else { return client }
                client = address
            }
        }
        return client
    }

    /// An address with or without port: `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]:80`.
    private static func address(_ element: Substring.UTF8View) -> SocketAddress? {
        let colon = UInt8(ascii: ":")
        var host = element.trimmed
        guard host.count <= 64 else { return nil }
        var port: UInt16 = 0
        if host.first == UInt8(ascii: "[") {
            guard let end = host.firstIndex(of: UInt8(ascii: "]")) else { return nil }
            let rest = host[end...].dropFirst()
            host = host[..<end].dropFirst()
            if !rest.isEmpty {
                guard rest.first == colon, let number = number(rest.dropFirst()) else { return nil }
                port = number
            }
        } else if let first = host.firstIndex(of: colon), host.lastIndex(of: colon) == first {
            guard let number = number(host[first...].dropFirst()) else { return nil }
            port = number
            host = host[..<first]
        }
        // What is no address hides the client.
        return try? SocketAddress(host: String(Substring(host)), port: port)
    }

    private static func number(_ digits: Substring.UTF8View) -> UInt16? {
        digits.allSatisfy { $0 >= 0x30 && $0 <= 0x39 } ? UInt16(Substring(digits)) : nil
    }
}
