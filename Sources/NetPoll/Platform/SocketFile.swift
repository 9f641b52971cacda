#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// The file of a Unix socket that is open: while it is, no other file can be taken for it.
struct SocketFile: Sendable {
    private let path: String
    private let device: UInt64
    private let inode: UInt64

    /// The file of the socket that listens on `address`; `nil` where that is no path.
    init?(of address: SocketAddress) {
        guard case .unix(let path) = address, Self.isName(path),
            let (device, inode) = Self.identity(path)
        else { return nil }
        (self.path, self.device, self.inode) = (path, device, inode)
    }

    /// Removes it, unless the path leads to another's file by now.
    func remove() {
        guard let found = Self.identity(path), found == (device, inode) else { return }
        // It may be gone meanwhile; there is nothing more to do.
        _ = unlink(path)
    }

    /// Whether `path` is the name of a file, not an abstract one.
    static func isName(_ path: String) -> Bool { !path.isEmpty && path.first != "\0" }

    private static func identity(_ path: String) -> (device: UInt64, inode: UInt64)? {
        var status = stat()
        guard lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFSOCK else { return nil }
        return (UInt64(truncatingIfNeeded: status.st_dev), UInt64(status.st_ino))
    }
}
