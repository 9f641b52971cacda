internal import Glibc

/// A non-blocking client socket on loopback with a buffer of its own: using it allocates nothing.
package final class LoopbackClient {
    private static var capacity: Int { 1 << 20 }

    private let fd: Int32
    private let buffer: UnsafeMutableRawPointer

    /// How many bytes arrived so far.
    package private(set) var received = 0

    /// Connects, or gives `nil` where nothing listens.
    package init?(port: UInt16) {
        fd = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        buffer = .allocate(byteCount: Self.capacity, alignment: 16)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(fd, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 else { return nil }
        _ = fcntl(fd, F_SETFL, O_NONBLOCK)
    }

    deinit {
        Glibc.close(fd)
        buffer.deallocate()
    }

    /// Sends all of `bytes`, which must fit into the socket's buffer.
    package func send(_ bytes: [UInt8]) {
        let count = bytes.withUnsafeBytes {
            Glibc.send(fd, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
        }
        precondition(count == bytes.count, "\(count) of \(bytes.count) bytes sent")
    }

    /// Takes what has arrived; what is taken now is lent to `look`.
    package func receive(_ look: (UnsafeRawBufferPointer) -> Void = { _ in }) {
        while true {
            let count = recv(fd, buffer, Self.capacity, 0)
            guard count > 0 else { return }
            received += count
            look(UnsafeRawBufferPointer(start: buffer, count: count))
        }
    }
}
