#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// Where a socket of somebody else listens.
enum ListeningPort {
    /// The port of a socket; `nil` where it has none, as a Unix socket.
    static func of(_ socket: Int32) -> UInt16? {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        return withUnsafeMutableBytes(of: &storage) { bytes in
            guard let address = bytes.baseAddress?.assumingMemoryBound(to: sockaddr.self),
                getsockname(socket, address, &length) == 0
            else { return nil }
            switch Int32(address.pointee.sa_family) {
            // Both have it behind the family, in network order.
            case AF_INET, AF_INET6:
                return UInt16(bigEndian: bytes.load(fromByteOffset: 2, as: UInt16.self))
            default: return nil
            }
        }
    }
}
