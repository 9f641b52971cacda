/// A system call failed.
public struct SystemError: Error, Hashable, Sendable {
    /// The `errno` of the failure (errno(3)).
    public let code: Int32

    /// The call that failed and, where it helps, what it was applied to: `bind 127.0.0.1:80`.
    public let operation: String

    public init(code: Int32, operation: String) {
        self.code = code
        self.operation = operation
    }
}

extension SystemError: CustomStringConvertible {
    public var description: String { "\(operation): \(Platform.describe(errno: code))" }
}
