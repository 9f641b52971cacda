#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Lines for the terminal, or for whoever reads the pipe.
enum Output {
    /// What was asked for, on standard output.
    static func line(_ text: String) { write(text, to: STDOUT_FILENO) }

    /// What happens besides, on standard error.
    static func note(_ text: String) { write("* \(text)", to: STDERR_FILENO) }

    static func error(_ text: String) { write("ws-client: \(text)", to: STDERR_FILENO) }

    private static func write(_ text: String, to descriptor: CInt) {
        let bytes = Array("\(text)\n".utf8)
        bytes.withUnsafeBytes { bytes in
            var rest = bytes[...]
            while !rest.isEmpty {
                let slice = UnsafeRawBufferPointer(rebasing: rest)
                #if canImport(Darwin)
                    let count = Darwin.write(descriptor, slice.baseAddress, slice.count)
                #elseif canImport(Glibc)
                    let count = Glibc.write(descriptor, slice.baseAddress, slice.count)
                #else
                    let count = Musl.write(descriptor, slice.baseAddress, slice.count)
                #endif
                // Who does not read any more is told nothing more.
                guard count > 0 else { return }
                rest = rest.dropFirst(count)
            }
        }
    }
}
