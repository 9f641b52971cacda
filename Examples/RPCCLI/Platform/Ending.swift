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

    static func end(_ ending: Ending) -> Never {
        switch ending {
        case .done: exit(EXIT_SUCCESS)
        case .failed(let reason, let code):
            let line = Array("rpc-cli: \(reason)\n".utf8)
            // Who does not read it is told nothing.
            _ = line.withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
            exit(code)
        }
    }
}
