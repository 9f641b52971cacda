#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

extension Platform {
    /// Where in a sockaddr_un its path begins: behind the family, which has two bytes on Linux, and on
    /// Darwin one behind a length of one.
    static var unixPathOffset: Int { 2 }

    /// The bytes a sockaddr_un has for a path and its end.
    static var unixPathRoom: Int { MemoryLayout<sockaddr_un>.size - unixPathOffset }

    /// Whether Unix sockets may have names that are no files (Linux, unix(7)).
    static var hasAbstractNames: Bool {
        #if os(Linux)
            true
        #else
            false
        #endif
    }

    static func parse(host: String, port: UInt16) -> SocketAddress? {
        // The C library would end the text there, and whoever checked it did not.
        guard !host.utf8.contains(0) else { return nil }
        var v4 = in_addr()
        if inet_pton(AF_INET, host, &v4) == 1 { return .v4(v4.s_addr, port: port) }
        var v6 = in6_addr()
        guard inet_pton(AF_INET6, host, &v6) == 1 else { return nil }
        return withUnsafeBytes(of: v6) { bytes in
            .v6(
                UInt64(bigEndian: bytes.loadUnaligned(as: UInt64.self)),
                UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self)),
                port: port, scope: 0)
        }
    }

    static func format(host address: SocketAddress) -> String {
        var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        switch address {
        case .v4(let raw, _):
            var raw = in_addr(s_addr: raw)
            inet_ntop(AF_INET, &raw, &text, socklen_t(text.count))
        case .v6(let high, let low, _, _):
            var raw = (high.bigEndian, low.bigEndian)
            inet_ntop(AF_INET6, &raw, &text, socklen_t(text.count))
        case .unix(let path):
            return path.first == "\0" ? "@" + path.dropFirst() : path
        }
        return text.withUnsafeBufferPointer { buffer in
            String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        }
    }

    /// Checks that a kernel address can say the address as it is: a path that was cut, by its length or
    /// by a zero in it, would be another.
    ///
    /// - Throws: ``SystemError``: ENAMETOOLONG or EINVAL, EAFNOSUPPORT for an abstract name.
    static func checkName(
        _ address: SocketAddress, _ operation: @autoclosure () -> String
    ) throws(SystemError) {
        guard case .unix(let path) = address else { return }
        let isAbstract = path.utf8.first == 0
        let code: Int32
        if path.utf8.count >= unixPathRoom {
            code = ENAMETOOLONG
        } else if isAbstract {
            if hasAbstractNames { return }
            code = EAFNOSUPPORT
        } else {
            guard path.utf8.contains(0) else { return }
            code = EINVAL
        }
        throw SystemError(code: code, operation: operation())
    }

    /// Calls `body` with the address in the kernel's form.
    ///
    /// - Throws: As ``checkName(_:_:)``, with what `operation` says.
    static func withKernelAddress<Result>(
        _ address: SocketAddress, _ operation: @autoclosure () -> String,
        _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result
    ) throws(SystemError) -> Result {
        try checkName(address, operation())
        var storage = sockaddr_storage()
        return withUnsafeMutableBytes(of: &storage) { bytes in
            let length: Int
            switch address {
            case .v4(let raw, let port):
                var value = sockaddr_in()
                value.sin_family = sa_family_t(AF_INET)
                value.sin_port = port.bigEndian
                value.sin_addr = in_addr(s_addr: raw)
                bytes.storeBytes(of: value, as: sockaddr_in.self)
                length = MemoryLayout<sockaddr_in>.size
            case .v6(let high, let low, let port, let scope):
                var value = sockaddr_in6()
                value.sin6_family = sa_family_t(AF_INET6)
                value.sin6_port = port.bigEndian
                value.sin6_scope_id = scope
                withUnsafeMutableBytes(of: &value.sin6_addr) {
                    $0.storeBytes(of: high.bigEndian, as: UInt64.self)
                    $0.storeBytes(of: low.bigEndian, toByteOffset: 8, as: UInt64.self)
                }
                bytes.storeBytes(of: value, as: sockaddr_in6.self)
                length = MemoryLayout<sockaddr_in6>.size
            case .unix(let path):
                var value = sockaddr_un()
                value.sun_family = sa_family_t(AF_UNIX)
                bytes.storeBytes(of: value, as: sockaddr_un.self)
                let offset = unixPathOffset
                let name = Array(path.utf8)
                bytes[offset..<offset + name.count].copyBytes(from: name)
                // An abstract name (unix(7)) is as long as the address says, and not terminated.
                length = offset + name.count + (name.first == 0 ? 0 : 1)
            }
            guard let base = bytes.baseAddress else {
                preconditionFailure("a sockaddr_storage without bytes")
            }
            // The storage is aligned for, and at least as large as, every kind of sockaddr.
            let typed = UnsafeRawPointer(base).assumingMemoryBound(to: sockaddr.self)
            return body(typed, socklen_t(length))
        }
    }

    /// The address in `storage`, of `length` bytes; a socket without a name has none.
    static func address(from storage: sockaddr_storage, length: socklen_t) -> SocketAddress {
        // The kernel has written nothing; what stands there is of somebody before.
        guard Int(length) >= unixPathOffset else { return .unix(path: "") }
        return withUnsafeBytes(of: storage) { bytes in
            switch Int32(storage.ss_family) {
            case AF_INET:
                let value = bytes.load(as: sockaddr_in.self)
                return .v4(value.sin_addr.s_addr, port: UInt16(bigEndian: value.sin_port))
            case AF_INET6:
                let value = bytes.load(as: sockaddr_in6.self)
                return withUnsafeBytes(of: value.sin6_addr) { raw in
                    .v6(
                        UInt64(bigEndian: raw.loadUnaligned(as: UInt64.self)),
                        UInt64(bigEndian: raw.loadUnaligned(fromByteOffset: 8, as: UInt64.self)),
                        port: UInt16(bigEndian: value.sin6_port), scope: value.sin6_scope_id)
                }
            default:
                let offset = unixPathOffset
                let raw = bytes[offset..<Int(length)]
                let name = raw.first == 0 ? raw : raw.prefix { $0 != 0 }
                return .unix(path: String(decoding: name, as: UTF8.self))
            }
        }
    }
}
