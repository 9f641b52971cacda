import Glibc
import NetPoll
import Testing

@Suite("Telling a service manager")
struct ServiceNotificationTests {
    /// A datagram socket bound to a name, as a service manager has it.
    private struct Manager: ~Copyable {
        let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)

        init(name: String) throws {
            var address = sockaddr_un()
            address.sun_family = sa_family_t(AF_UNIX)
            let bytes = Array(name.utf8)
            withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
            let length = socklen_t(2 + bytes.count + (bytes.first == 0 ? 0 : 1))
            let bound = withUnsafePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    bind(descriptor, $0, length)
                }
            }
            try #require(bound == 0)
        }

        deinit { close(descriptor) }

        func next() -> String {
            var text = [UInt8](repeating: 0, count: 1_024)
            let count = recv(descriptor, &text, text.count, Int32(MSG_DONTWAIT))
            return String(decoding: text.prefix(max(0, count)), as: UTF8.self)
        }
    }

    @Test(arguments: ["/tmp/netpoll-notify-", "@netpoll-notify-"])
    func `states are told as lines, to a path or an abstract name`(prefix: String) throws {
        let name = prefix + "\(UInt64.random(in: 0...(.max)))"
        let isAbstract = name.first == "@"
        let manager = try Manager(name: isAbstract ? "\0" + name.dropFirst() : name)
        try ServiceNotification.send([.ready, .status("serves\nMAINPID=1")], to: name)
        #expect(manager.next() == "READY=1\nSTATUS=serves")
        try ServiceNotification.send([.stopping], to: name)
        #expect(manager.next() == "STOPPING=1")
        if !isAbstract { unlink(name) }
    }

    @Test func `a state waits where the manager's queue is full`() async throws {
        let name = "@netpoll-notify-\(UInt64.random(in: 0...(.max)))"
        let manager = try Manager(name: "\0" + name.dropFirst())
        let other = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_NONBLOCK.rawValue), 0)
        defer { close(other) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(("\0" + name.dropFirst()).utf8)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        let isConnected = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(other, $0, socklen_t(2 + bytes.count)) == 0
            }
        }
        try #require(isConnected)
        while send(other, "x", 1, 0) == 1 {}
        let begun = AsyncStream<Void>.makeStream()
        async let told: Void = {
            begun.continuation.yield()
            try ServiceNotification.send([.ready], to: name)
        }()
        for await _ in begun.stream { break }
        // The queue is emptied while the state waits.
        var heard = ""
        while heard != "READY=1" {
            heard = manager.next()
            await Task.yield()
        }
        try await told
    }

    @Test(arguments: [
        ("/nonexistent/socket", ENOENT), ("vsock:2:1234", EAFNOSUPPORT), ("", EAFNOSUPPORT),
    ])
    func `who cannot be told is an error`(name: String, code: Int32) {
        let error = #expect(throws: SystemError.self) {
            try ServiceNotification.send([.ready], to: name)
        }
        #expect(error?.code == code)
    }

    /// In processes of their own, for the environment is the process's.
    @Test func `without a manager nothing is told`() async {
        await #expect(processExitsWith: .success) {
            unsetenv("NOTIFY_SOCKET")
            let isTold = try ServiceNotification.send(.ready)
            #expect(!isTold)
            setenv("NOTIFY_SOCKET", "/nonexistent/socket", 1)
            #expect(throws: SystemError.self) { try ServiceNotification.send(.ready) }
        }
    }
}
