#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// Reads a directory's files into memory, once.
package enum FileTree {
    /// Every regular file below `root`, by its path below it, such as `css/page.css`.
    ///
    /// Names that begin with a dot are left out, and symbolic links are not followed: nothing
    /// outside of `root` is read.
    ///
    /// - Throws: ``SystemError``; EFBIG where the files are more than `filesMax` or `bytesMax`.
    package static func read(
        _ root: String, filesMax: Int, bytesMax: Int
    ) throws(SystemError) -> [(path: String, bytes: [UInt8])] {
        let descriptor = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw SystemError(code: errno, operation: "open \(root)") }
        var reading = Reading(filesMax: filesMax, bytesLeft: bytesMax)
        try reading.readDirectory(descriptor, at: "", depth: 0)
        return reading.files
    }

    private struct Reading {
        /// Deeper directories are an error; links, which could make a cycle, are not followed.
        static let depthMax = 32

        let filesMax: Int
        var bytesLeft: Int
        var files: [(path: String, bytes: [UInt8])] = []

        /// Takes the descriptor over.
        mutating func readDirectory(
            _ descriptor: Int32, at path: String, depth: Int
        ) throws(SystemError) {
            guard depth <= Self.depthMax, let directory = fdopendir(descriptor) else {
                let code = depth <= Self.depthMax ? errno : ELOOP
                close(descriptor)
                throw SystemError(code: code, operation: "read directory \(path)")
            }
            defer { closedir(directory) }
            var names: [String] = []
            while let entry = readdir(directory) {
                // unsafe: d_name is a NUL-terminated string within the entry, which is valid until
                // the next call.
                let name = withUnsafePointer(to: &entry.pointee.d_name) {
                    String(cString: UnsafeRawPointer($0).assumingMemoryBound(to: CChar.self))
                }
                if name.first != "." { names.append(name) }
            }
            // In an order of its own, a directory's entries have none.
            for name in names.sorted() {
                try readEntry(name, of: dirfd(directory), at: path + name, depth: depth)
            }
        }

        private mutating func readEntry(
            _ name: String, of directory: Int32, at path: String, depth: Int
        ) throws(SystemError) {
            // Opening a FIFO would wait for its writer.
            let descriptor = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK)
            guard descriptor >= 0 else {
                // A symbolic link, or a Unix socket's file (open(2)), which Darwin calls otherwise.
                if [ELOOP, ENXIO, EOPNOTSUPP].contains(errno) { return }
                throw SystemError(code: errno, operation: "open \(path)")
            }
            var status = stat()
            guard fstat(descriptor, &status) == 0 else {
                let code = errno
                close(descriptor)
                throw SystemError(code: code, operation: "fstat \(path)")
            }
            if status.st_mode & S_IFMT == S_IFDIR {
                return try readDirectory(descriptor, at: path + "/", depth: depth + 1)
            }
            defer { close(descriptor) }
            guard status.st_mode & S_IFMT == S_IFREG else { return }
            guard files.count < filesMax else {
                throw SystemError(code: EFBIG, operation: "read more than \(filesMax) files")
            }
            files.append((path, try readFile(descriptor, at: path)))
        }

        private mutating func readFile(
            _ descriptor: Int32, at path: String
        ) throws(SystemError) -> [UInt8] {
            var bytes: [UInt8] = []
            var piece = [UInt8](repeating: 0, count: 64 << 10)
            while true {
                let count = piece.withUnsafeMutableBytes {
                    SystemCall.readBytes(descriptor, $0)
                }
                if count < 0 {
                    if errno == EINTR { continue }
                    throw SystemError(code: errno, operation: "read \(path)")
                }
                guard count > 0 else { return bytes }
                bytesLeft -= count
                guard bytesLeft >= 0 else {
                    throw SystemError(code: EFBIG, operation: "read \(path), too large in all")
                }
                bytes += piece[..<count]
            }
        }
    }
}
