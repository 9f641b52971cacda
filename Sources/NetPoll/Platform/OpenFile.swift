#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// A file to be sent, closed when nobody holds it any more; see
/// ``Connection/send(_:offset:count:)``.
public final class OpenFile: Sendable {
    package let descriptor: Int32

    /// Opens the file at `path` for reading.
    public init(path: String) throws(SystemError) {
        descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw SystemError(code: errno, operation: "open \(path)") }
    }

    /// Takes over a descriptor that is open for reading.
    public init(adopting descriptor: Int32) {
        self.descriptor = descriptor
    }

    deinit { SystemCall.closeDescriptor(descriptor) }

    /// The file's present length.
    public var byteCount: Int {
        get throws(SystemError) {
            var status = stat()
            guard fstat(descriptor, &status) == 0 else {
                throw SystemError(code: errno, operation: "fstat")
            }
            return Int(status.st_size)
        }
    }
}

extension Driver {
    /// Reads and sends piece by piece, for drivers that have no call for it.
    package func sendFile(
        _ socket: SocketHandle, _ descriptor: Int32, offset: Int, count: Int, token: Token
    ) -> SendOutcome {
        withUnsafeTemporaryAllocation(byteCount: 64 << 10, alignment: 16) { buffer in
            var sent = 0
            while sent < count {
                let wanted = min(buffer.count, count - sent)
                let found = pread(descriptor, buffer.baseAddress, wanted, off_t(offset + sent))
                guard found > 0, let base = buffer.baseAddress else {
                    if found < 0, errno == EINTR { continue }
                    // The file is shorter than was promised (EIO), or cannot be read.
                    return .failed(found < 0 ? errno : EIO)
                }
                let segment = Segment(base: base, count: found)
                let outcome = withUnsafePointer(to: segment) {
                    send(socket, UnsafeBufferPointer(start: $0, count: 1), token: token)
                }
                guard case .sent(let taken) = outcome else { return outcome }
                sent += taken
                if taken < found { break }
            }
            return .sent(sent)
        }
    }
}
