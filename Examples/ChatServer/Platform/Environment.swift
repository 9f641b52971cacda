#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// The variables the program was started with, and the files they name.
enum Environment {
    private static let fileBytesMax = 64 << 10

    /// A small text file; `nil` where it cannot be read, or is longer than 64 KiB.
    static func text(ofFile path: String) -> String? {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return nil }
        defer { close(file) }
        var text = [UInt8](repeating: 0, count: fileBytesMax + 1)
        var count = 0
        while count < text.count {
            let piece = text.withUnsafeMutableBytes {
                read(file, $0.baseAddress?.advanced(by: count), $0.count - count)
            }
            guard piece > 0 else {
                return piece == 0 ? String(decoding: text[..<count], as: UTF8.self) : nil
            }
            count += piece
        }
        return nil
    }

    static func value(of name: String) -> String? {
        getenv(name).map { String(cString: $0) }
    }
}
