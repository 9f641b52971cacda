#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

extension Platform {
    /// Asks getaddrinfo(3), which may take many seconds: never called on a loop.
    static func resolve(
        _ host: String, port: UInt16, family: AddressFamily
    ) -> Result<[SocketAddress], ResolveError> {
        // getaddrinfo would end the name there, and whoever checked it did not.
        guard !host.utf8.contains(0) else { return .failure(.notFound) }
        var hints = addrinfo()
        hints.ai_family = family == .v4 ? AF_INET : AF_INET6
        hints.ai_socktype = SystemCall.streamSocket
        var list: UnsafeMutablePointer<addrinfo>?
        let code = getaddrinfo(host, nil, &hints, &list)
        guard code == 0 else { return .failure(resolveError(code)) }
        defer { freeaddrinfo(list) }
        var found: [SocketAddress] = []
        var entry = list
        while let info = entry?.pointee {
            if let address = info.ai_addr {
                var storage = sockaddr_storage()
                let length = min(Int(info.ai_addrlen), MemoryLayout<sockaddr_storage>.size)
                withUnsafeMutableBytes(of: &storage) {
                    $0.copyMemory(from: UnsafeRawBufferPointer(start: address, count: length))
                }
                found.append(
                    Platform.address(from: storage, length: socklen_t(length)).with(port: port))
            }
            entry = info.ai_next
        }
        return .success(found)
    }

    private static func resolveError(_ code: Int32) -> ResolveError {
        // EAI_NODATA and EAI_ADDRFAMILY are glibc's own and not in every header.
        let (noData, noAddressOfFamily): (Int32, Int32) = (-5, -9)
        switch code {
        case EAI_NONAME, noData, noAddressOfFamily: return .notFound
        case EAI_AGAIN: return .temporary
        default: return .failed(code: code, text: String(cString: gai_strerror(code)))
        }
    }
}
