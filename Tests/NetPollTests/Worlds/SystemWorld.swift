import Glibc
import NetPoll
import Testing

/// A driver of the system, turned in the test's thread, with real sockets as clients.
final class SystemWorld: World {
    let loop: EventLoop
    private var clients: [SystemClient] = []

    init(
        driver: any Driver, index: Int = 0, configuration: EventLoop.Configuration = .init()
    ) {
        loop = EventLoop(driver: driver, index: index, configuration: configuration)
        loop.bindToCurrentThread()
    }

    deinit {
        loop.bindToCurrentThread()
        loop.shutDown()
    }

    func connect(to address: SocketAddress) -> (any Client)? {
        guard let client = SystemClient(port: address.port ?? 0) else { return nil }
        clients.append(client)
        return client
    }

    func run(until condition: () -> Bool) -> Bool {
        // Long enough for a machine that runs all tests at once under a sanitizer.
        let end = loop.now + .seconds(60)
        while true {
            for client in clients { client.act() }
            if condition() { return true }
            if loop.now > end { return false }
            // Clients are polled between turns, so a turn waits only briefly for the loop's events.
            loop.turn(until: loop.now + .milliseconds(1))
        }
    }
}

/// A non-blocking client socket on loopback.
final class SystemClient: Client {
    private(set) var received: [UInt8] = []
    private(set) var isEnded = false
    private(set) var isReset = false
    private var isStalled = false
    private var outbox: [UInt8] = []
    private var endsAfterOutbox = false
    private var fd: Int32

    init?(port: UInt16) {
        fd = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        // Small buffers, so that backpressure comes early.
        var size: Int32 = 32 << 10
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, 4)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(fd, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 else {
            Glibc.close(fd)
            return nil
        }
        _ = fcntl(fd, F_SETFL, O_NONBLOCK)
    }

    deinit { close() }

    func send(_ bytes: [UInt8]) {
        outbox.append(contentsOf: bytes)
        act()
    }

    func sendEnd() {
        endsAfterOutbox = true
        act()
    }

    func stall() { isStalled = true }
    func resume() { isStalled = false }

    func close() {
        guard fd >= 0 else { return }
        Glibc.close(fd)
        fd = -1
    }

    func reset() {
        var option = linger(l_onoff: 1, l_linger: 0)
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
        close()
    }

    func act() {
        guard fd >= 0 else { return }
        if !outbox.isEmpty {
            let count = Glibc.send(fd, outbox, outbox.count, Int32(MSG_NOSIGNAL))
            if count > 0 { outbox.removeFirst(count) }
        }
        if outbox.isEmpty, endsAfterOutbox {
            shutdown(fd, Int32(SHUT_WR))
            endsAfterOutbox = false
        }
        guard !isStalled, !isEnded, !isReset else { return }
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = recv(fd, &buffer, buffer.count, 0)
            if count > 0 {
                received.append(contentsOf: buffer[..<count])
                continue
            }
            if count == 0 { isEnded = true }
            if count < 0, errno != EAGAIN { isReset = true }
            return
        }
    }
}

/// Removes a socket's file that a test made.
func removeFile(_ path: String) {
    unlink(path)
}

/// A file with this content that has no name.
func makeFile(_ content: [UInt8]) throws -> OpenFile {
    let path = "/tmp/netpoll-\(UInt64.random(in: 0...(.max)))"
    let descriptor = open(path, O_RDWR | O_CREAT | O_EXCL, 0o600)
    unlink(path)
    var written = 0
    while descriptor >= 0, written < content.count {
        let count = content.withUnsafeBytes {
            write(descriptor, $0.baseAddress.map { $0 + written }, content.count - written)
        }
        guard count > 0 else { break }
        written += count
    }
    #expect(written == content.count, "the file was not written")
    return OpenFile(adopting: descriptor)
}

/// Very many bytes that are all zero and take no memory.
final class Zeros {
    let bytes: UnsafeRawBufferPointer

    init?(byteCount: Int) {
        let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE
        let memory = mmap(nil, byteCount, PROT_READ, flags, -1, 0)
        guard let memory, memory != MAP_FAILED else { return nil }
        bytes = UnsafeRawBufferPointer(start: memory, count: byteCount)
    }

    deinit { munmap(UnsafeMutableRawPointer(mutating: bytes.baseAddress), bytes.count) }
}

/// The memory that malloc set aside for an object.
func usableBytes(of object: AnyObject) -> Int {
    mallocUsableSize(Unmanaged.passUnretained(object).toOpaque())
}

// malloc_usable_size(3), which the Glibc overlay does not import.
@_silgen_name("malloc_usable_size")
private func mallocUsableSize(_ pointer: UnsafeMutableRawPointer) -> Int

func fileExists(_ path: String) -> Bool { access(path, F_OK) == 0 }

func makeEmptyFile(_ path: String) {
    let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL, 0o600)
    #expect(descriptor >= 0)
    close(descriptor)
}

/// Sends a datagram to a Unix socket from one that is bound to nothing; returns how many bytes went.
func sendWithoutName(_ bytes: [UInt8], to path: String) -> Int {
    let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
    defer { close(descriptor) }
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
    return withUnsafePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            sendto(
                descriptor, bytes, bytes.count, 0, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
        }
    }
}

/// Reads a file from its start, and closes it.
func readAll(_ descriptor: Int32) -> String {
    defer { close(descriptor) }
    var buffer = [UInt8](repeating: 0, count: 1_024)
    let count = pread(descriptor, &buffer, buffer.count, 0)
    return String(decoding: buffer.prefix(max(0, count)), as: UTF8.self)
}
