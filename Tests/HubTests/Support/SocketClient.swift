import Glibc
import WSFrame

/// A WebSocket client on a real socket, blocking, for the few tests that need threads.
final class SocketClient {
    struct Failure: Error {
        let operation: String
        let code: Int32
    }

    private let socket: Int32
    private var bytes: [UInt8] = []

    /// Connects to a port of 127.0.0.1 and upgrades.
    init(port: UInt16) throws {
        socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        // A backstop: nothing here takes seconds.
        var timeout = timeval(tv_sec: 20, tv_usec: 0)
        setsockopt(
            socket, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        let status = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard status == 0 else { throw Failure(operation: "connect", code: errno) }
        try send(
            Array(
                """
                GET /ws HTTP/1.1\r
                Host: localhost\r
                Upgrade: websocket\r
                Connection: Upgrade\r
                Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r
                Sec-WebSocket-Version: 13\r
                \r\n
                """.utf8))
        let end = Array("\r\n\r\n".utf8)
        while bytes.firstRange(of: end) == nil { try receive() }
        guard let head = bytes.firstRange(of: end) else { return }
        bytes.removeSubrange(..<head.upperBound)
    }

    deinit { close(socket) }

    func say(_ text: String) throws {
        try send(
            FrameEncoder.frame(
                Array(text.utf8).span.bytes, opcode: .text, maskingKey: MaskingKey(1, 2, 3, 4)))
    }

    /// Waits for the next message of at most 125 bytes, which all are here.
    func nextText() throws -> String {
        while bytes.count < 2 || bytes.count < 2 + Int(bytes[1]) { try receive() }
        let count = Int(bytes[1])
        defer { bytes.removeFirst(2 + count) }
        return String(decoding: bytes[2..<2 + count], as: UTF8.self)
    }

    private func send(_ bytes: [UInt8]) throws {
        guard Glibc.send(socket, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count
        else { throw Failure(operation: "send", code: errno) }
    }

    private func receive() throws {
        var buffer = [UInt8](repeating: 0, count: 4_096)
        let count = recv(socket, &buffer, buffer.count, 0)
        guard count > 0 else { throw Failure(operation: "recv", code: errno) }
        bytes += buffer[..<count]
    }
}
