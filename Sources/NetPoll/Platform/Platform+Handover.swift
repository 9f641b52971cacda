#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

extension Platform {
    /// What it means to a successor that it cannot connect to its predecessor; `nil` where there is none.
    static func handoverFailure(_ error: ConnectError) -> SystemError? {
        switch error.reason {
        case .refused, .cancelled, .shutdown, .unresolved: nil
        case .failed(let error) where error.code == ENOENT: nil
        case .failed(let error): error
        case .timedOut, .unreachable: timedOutError("\(error)")
        }
    }

    static func timedOutError(_ operation: String) -> SystemError {
        SystemError(code: ETIMEDOUT, operation: operation)
    }
}
