#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// How the program ends.
enum Ending: Sendable {
    case done
    /// Says why in one line on standard error.
    case failed(String, code: CInt)
    /// As a shell tells of a process that a signal ended.
    case signal(CInt)

    static func end(_ ending: Ending) -> Never {
        switch ending {
        case .done: exit(EXIT_SUCCESS)
        case .failed(let reason, let code):
            Output.error(reason)
            exit(code)
        case .signal(let number): exit(128 + number)
        }
    }
}
