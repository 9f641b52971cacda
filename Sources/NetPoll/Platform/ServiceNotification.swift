#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// Tells the service manager that started the process how far it is (systemd's protocol, sd_notify(3)).
///
/// ```swift
/// try await hub.listen(on: address)
/// try ServiceNotification.send(.ready)
/// ```
///
/// With `Type=notify` systemd calls a service started when it says that it is ready, and not before.
public enum ServiceNotification {
    /// What can be told.
    public struct State: Hashable, Sendable {
        let line: String

        /// The service serves.
        public static let ready = State(line: "READY=1")
        /// The service has begun to end.
        public static let stopping = State(line: "STOPPING=1")
        /// The service lives, where the manager watches for that (`WatchdogSec=`).
        public static let alive = State(line: "WATCHDOG=1")

        /// A line for people, such as `systemctl status` shows; only its first line is told.
        public static func status(_ text: String) -> State {
            State(line: "STATUS=\(text.prefix { !$0.isNewline })")
        }
    }

    /// Tells the manager, if there is one that asked to be told (`NOTIFY_SOCKET`).
    ///
    /// - Returns: Whether there is one.
    /// - Throws: ``SystemError`` where it cannot be told.
    @discardableResult
    public static func send(_ states: State...) throws(SystemError) -> Bool {
        guard let name = getenv("NOTIFY_SOCKET").map({ String(cString: $0) }), !name.isEmpty else {
            return false
        }
        try send(states, to: name)
        return true
    }

    /// Tells who listens at `name`: a path, or an abstract name behind an `@`.
    package static func send(_ states: [State], to name: String) throws(SystemError) {
        let operation = "notify \(name)"
        guard let first = name.first, first == "/" || first == "@" else {
            throw SystemError(code: EAFNOSUPPORT, operation: operation)
        }
        let address: SocketAddress =
            first == "@" ? .abstract(String(name.dropFirst())) : .unix(path: name)
        let descriptor = try Socket.open(address, SystemCall.datagramSocket, operation)
        defer { close(descriptor) }
        let text = Array(states.map(\.line).joined(separator: "\n").utf8)
        let sent = Platform.withKernelAddress(address) {
            sendto(descriptor, text, text.count, SystemCall.withoutSignal, $0, $1)
        }
        guard sent == text.count else { throw SystemError(code: errno, operation: operation) }
    }
}
