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
        guard let name = variable("NOTIFY_SOCKET") else { return false }
        try send(states, to: name)
        return true
    }

    /// Tells the manager from now on, twice in the time that it allows (`WatchdogSec=`), that the service
    /// lives: as long as every loop of `group` turns, so that one which is stuck has the service started
    /// anew. Ends with the loops.
    ///
    /// To be called once, and before other threads change the environment.
    ///
    /// - Returns: Whether the manager watches this process (`WATCHDOG_USEC` and `WATCHDOG_PID`).
    @discardableResult
    public static func keepAlive(on group: EventLoopGroup) -> Bool {
        guard let name = variable("NOTIFY_SOCKET"),
            let allowed = watchdogTime(
                variable("WATCHDOG_USEC"), process: variable("WATCHDOG_PID"))
        else { return false }
        let interval = max(allowed / 2, .milliseconds(1))
        ServiceWatchdog(every: interval, loops: group.loops) {
            do throws(SystemError) {
                try send([.alive], to: name, flags: SystemCall.withoutWaiting)
            } catch {
                // Its queue is full, or it is gone: the next one may be heard.
            }
        }.begin()
        return true
    }

    /// What the variables allow between two signs of life; `nil` where none are wanted of this process.
    package static func watchdogTime(_ microseconds: String?, process: String?) -> Duration? {
        guard let time = microseconds.flatMap({ Int64($0) }), time > 0 else { return nil }
        if let process, Int32(process) != getpid() { return nil }
        return .microseconds(time)
    }

    private static func variable(_ name: String) -> String? {
        getenv(name).map { String(cString: $0) }.flatMap { $0.isEmpty ? nil : $0 }
    }

    /// Tells who listens at `name`: a path, or an abstract name behind an `@`.
    package static func send(_ states: [State], to name: String) throws(SystemError) {
        try send(states, to: name, flags: SystemCall.withoutSignal)
    }

    private static func send(
        _ states: [State], to name: String, flags: Int32
    ) throws(SystemError) {
        let operation = "notify \(name)"
        guard let first = name.first, first == "/" || first == "@" else {
            throw SystemError(code: EAFNOSUPPORT, operation: operation)
        }
        let address: SocketAddress =
            first == "@" ? .abstract(String(name.dropFirst())) : .unix(path: name)
        let descriptor = try Socket.open(address, SystemCall.datagramSocket, operation)
        defer { close(descriptor) }
        // Sockets are made not to wait. A state is told once, and has to arrive.
        if flags != SystemCall.withoutWaiting { _ = fcntl(descriptor, F_SETFL, 0) }
        let text = Array(states.map(\.line).joined(separator: "\n").utf8)
        let sent = try Platform.withKernelAddress(address, operation) {
            sendto(descriptor, text, text.count, flags, $0, $1)
        }
        guard sent == text.count else { throw SystemError(code: errno, operation: operation) }
    }
}
