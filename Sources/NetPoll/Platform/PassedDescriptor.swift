#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// A descriptor that another process passed over a Unix connection; closed unless it is taken. See
/// ``Connection/receiveDescriptors()``.
public struct PassedDescriptor: ~Copyable {
    private let rawValue: Int32

    init(_ rawValue: Int32) {
        self.rawValue = rawValue
    }

    deinit { close(rawValue) }

    /// Takes the descriptor over; the caller closes it.
    public consuming func take() -> Int32 {
        let descriptor = rawValue
        discard self
        return descriptor
    }
}

extension OpenFile {
    /// A duplicate of a descriptor, closed by itself.
    package convenience init(duplicating descriptor: Int32) throws(SystemError) {
        self.init(adopting: try Platform.duplicate(descriptor))
    }
}

extension Platform {
    /// A second descriptor of the same open file, which the caller closes (fcntl(2)).
    package static func duplicate(_ descriptor: Int32) throws(SystemError) -> Int32 {
        let copy = fcntl(descriptor, F_DUPFD_CLOEXEC, 0)
        guard copy >= 0 else { throw SystemError(code: errno, operation: "fcntl") }
        return copy
    }
}
