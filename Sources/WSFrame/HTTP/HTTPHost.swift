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
