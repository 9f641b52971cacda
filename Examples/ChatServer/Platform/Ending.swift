#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// How the program ends when it cannot do what was asked.
enum Ending {
    /// Cannot serve.
    static let failure = EXIT_FAILURE
    /// Wrong option or variable (sysexits(3)).
    static let usage = EX_USAGE

    /// Says why in one line on standard error, and ends.
    static func fail(_ reason: String, code: Int32) -> Never {
        let line = Array("chat-server: \(reason)\n".utf8)
        // There is nowhere left to report a failure to.
        _ = line.withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
        exit(code)
    }

    /// Ends, having done what was asked.
    static func succeed() -> Never {
        exit(EXIT_SUCCESS)
    }

    /// Ends at once, as a shell tells of a process that a signal ended.
    static func obey(signal: CInt) -> Never {
        exit(128 + signal)
    }
}
