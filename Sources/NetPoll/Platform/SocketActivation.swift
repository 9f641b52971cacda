#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// Listening sockets that a service manager opened before it started the process (systemd's protocol,
/// sd_listen_fds(3)).
///
/// ```swift
/// let passed = try SocketActivation.takeDescriptors()
/// let listeners = try await group.listen(adopting: passed.map(\.descriptor)) { _, _ in Echo() }
/// ```
///
/// A Unix socket's file stays the manager's: closing the listener does not remove it.
public enum SocketActivation {
    /// A descriptor that was passed.
    public struct Descriptor: Hashable, Sendable {
        /// Open, and the caller's to adopt or close.
        public let descriptor: Int32
        /// What the manager calls it (`LISTEN_FDNAMES`); empty where it does not say.
        public let name: String
    }

    /// The descriptors that were passed to this process; none where it was started otherwise.
    ///
    /// They are marked close-on-exec and the variables are removed from the environment, so that
    /// neither a child nor a second call takes them again. To be called before other threads use the
    /// environment (setenv(3)).
    ///
    /// - Throws: ``SystemError``: EINVAL where the variables make no sense, EBADF where a descriptor
    ///   is not open.
    public static func takeDescriptors() throws(SystemError) -> [Descriptor] {
        defer { for name in ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"] { unsetenv(name) } }
        return try descriptors(
            process: variable("LISTEN_PID"), count: variable("LISTEN_FDS"),
            names: variable("LISTEN_FDNAMES"), first: 3)
    }

    /// What the variables say, the first descriptor being `first`.
    package static func descriptors(
        process: String?, count: String?, names: String?, first: Int32
    ) throws(SystemError) -> [Descriptor] {
        guard let process, let count else { return [] }
        guard let process = Int32(process), let count = Int32(count), count >= 0,
            count <= Int32.max - first
        else {
            throw SystemError(code: EINVAL, operation: "LISTEN_PID=\(process) LISTEN_FDS=\(count)")
        }
        // They are another process's, which passed its environment on.
        guard process == getpid() else { return [] }
        let names = names?.split(separator: ":", omittingEmptySubsequences: false) ?? []
        var found: [Descriptor] = []
        for index in 0..<count {
            guard fcntl(first + index, F_SETFD, FD_CLOEXEC) == 0 else {
                throw SystemError(code: errno, operation: "LISTEN_FDS=\(count)")
            }
            let name = Int(index) < names.count ? String(names[Int(index)]) : ""
            found.append(Descriptor(descriptor: first + index, name: name))
        }
        return found
    }

    private static func variable(_ name: String) -> String? {
        getenv(name).map { String(cString: $0) }
    }
}
