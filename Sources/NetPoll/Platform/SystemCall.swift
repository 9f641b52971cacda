#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// Calls whose names members of other types hide, and constants that systems spell differently.
enum SystemCall {
    static func closeDescriptor(_ fd: Int32) { _ = close(fd) }

    static func openFile(_ path: String, _ flags: Int32) -> Int32 { open(path, flags) }

    static func readBytes(_ fd: Int32, _ buffer: UnsafeMutableRawBufferPointer) -> Int {
        read(fd, buffer.baseAddress, buffer.count)
    }

    @inline(__always)
    static func sendBytes(_ fd: Int32, _ bytes: UnsafeRawPointer, _ count: Int) -> Int {
        send(fd, bytes, count, withoutSignal)
    }

    static func connectSocket(
        _ fd: Int32, _ address: UnsafePointer<sockaddr>, _ length: socklen_t
    ) -> Int32 { connect(fd, address, length) }

    static func listenOnSocket(_ fd: Int32, _ backlog: Int32) -> Int32 { listen(fd, backlog) }

    #if canImport(Glibc)
        static var streamSocket: Int32 { Int32(SOCK_STREAM.rawValue) }
        static var datagramSocket: Int32 { Int32(SOCK_DGRAM.rawValue) }
        /// A broken connection is told by EPIPE alone.
        static var withoutSignal: Int32 { Int32(MSG_NOSIGNAL) }
        static var withoutWaiting: Int32 { withoutSignal | Int32(MSG_DONTWAIT) }
        static var keepAliveIdle: Int32 { TCP_KEEPIDLE }
        static var receivePacketInfo6: Int32 { IPV6_RECVPKTINFO }
    #elseif canImport(Darwin)
        static var streamSocket: Int32 { SOCK_STREAM }
        static var datagramSocket: Int32 { SOCK_DGRAM }
        /// Every socket is made with SO_NOSIGPIPE instead.
        static var withoutSignal: Int32 { 0 }
        static var withoutWaiting: Int32 { MSG_DONTWAIT }
        static var keepAliveIdle: Int32 { TCP_KEEPALIVE }
        /// IPV6_RECVPKTINFO, which is declared for RFC 3542 only.
        static var receivePacketInfo6: Int32 { 61 }
    #endif
}
