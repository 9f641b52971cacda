/// What `Host` may say: a host, and a port behind it (RFC 9110 §7.2, RFC 3986 §3.2.2).
///
/// Two readers that take `a b` or `a/b` for different hosts let a request past the one that guards.
enum HTTPHost {
    /// Whether `value` is empty, or a name or address with or without a port.
    ///
    /// Looser than ``HostAndPort``, which says what can be connected to: here a host need not exist.
    /// Addresses of a future version (`[v1.a]`) and a port without a host are refused; nobody is
    /// reached by them.
    ///
    /// Complexity: O(bytes).
    static func isValid(_ value: UnsafeRawBufferPointer) -> Bool {
        // Where the target has no authority there is none to name (RFC 9112 §3.2).
        if value.isEmpty { return true }
        let hostEnd: Int
        if value[0] == UInt8(ascii: "[") {
            guard let end = value.firstIndex(of: UInt8(ascii: "]")),
                HostAndPort.isIPv6(Array(value[1..<end])[...])
            else { return false }
            hostEnd = end + 1
        } else {
            hostEnd = value.firstIndex(of: UInt8(ascii: ":")) ?? value.count
            guard isName(UnsafeRawBufferPointer(rebasing: value[..<hostEnd])) else { return false }
        }
        guard hostEnd < value.count else { return true }
        return value[hostEnd] == UInt8(ascii: ":")
            && value[(hostEnd + 1)...].allSatisfy { $0 >= 0x30 && $0 <= 0x39 }
    }

    /// The authority of a target in absolute form (RFC 9112 §3.2.2), and the port of its scheme; `nil` of any
    /// other target.
    static func authority(
        of target: UnsafeRawBufferPointer
    ) -> (bytes: UnsafeRawBufferPointer, schemePort: StaticString)? {
        guard target.first != UInt8(ascii: "/"),
            let colon = target.firstIndex(of: UInt8(ascii: ":")),
            target[colon...].starts(with: "://".utf8)
        else { return nil }
        let rest = target[(colon + 3)...]
        let end = rest.firstIndex { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "?") }
        let bytes = UnsafeRawBufferPointer(rebasing: rest[..<(end ?? rest.endIndex)])
        // Of the schemes that are taken, https and wss have an odd number of letters.
        return (bytes, colon % 2 == 1 ? "443" : "80")
    }

    /// Whether `value` names the host and port that the target does, if that is in absolute form.
    ///
    /// A server would have to believe the target and a proxy might believe `Host`, so that they may not differ.
    static func isValid(
        _ value: UnsafeRawBufferPointer, for target: UnsafeRawBufferPointer
    ) -> Bool {
        guard let authority = authority(of: target) else { return true }
        let asked = withoutPort(authority.schemePort, authority.bytes)
        return asked.elementsEqual(withoutPort(authority.schemePort, value)) {
            HTTPSyntax.lowercased($0) == HTTPSyntax.lowercased($1)
        }
    }

    /// `host` without the port where it is empty or `port` (RFC 3986 §6.2.3).
    private static func withoutPort(
        _ port: StaticString, _ host: UnsafeRawBufferPointer
    ) -> UnsafeRawBufferPointer {
        // unsafe: a StaticString of ASCII literals has a pointer to its code units.
        let digits = UnsafeRawBufferPointer(start: port.utf8Start, count: port.utf8CodeUnitCount)
        var end = host.count
        if host.count > digits.count, host[(end - digits.count)...].elementsEqual(digits) {
            end -= digits.count
        }
        guard end > 0, host[end - 1] == UInt8(ascii: ":") else { return host }
        return UnsafeRawBufferPointer(rebasing: host[..<(end - 1)])
    }

    private static func isName(_ name: UnsafeRawBufferPointer) -> Bool {
        var offset = 0
        while offset < name.count {
            if name[offset] == UInt8(ascii: "%") {
                guard offset + 2 < name.count, HostAndPort.isHexDigit(name[offset + 1]),
                    HostAndPort.isHexDigit(name[offset + 2])
                else { return false }
                offset += 3
            } else {
                guard isNameByte(name[offset]) else { return false }
                offset += 1
            }
        }
        return !name.isEmpty
    }

    /// Whether `byte` may stand for itself in a name (RFC 3986 §2.2, §2.3).
    private static func isNameByte(_ byte: UInt8) -> Bool {
        // One bit for each of the 128 ASCII values: "!$&'()*+,-.;=_~", digits and letters.
        let word: UInt64 = byte < 64 ? 0x2BFF_7FD2_0000_0000 : 0x47FF_FFFE_87FF_FFFE
        return byte < 128 && (word &>> UInt64(byte & 63)) & 1 != 0
    }
}
