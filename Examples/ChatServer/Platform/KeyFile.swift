#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif
import HubTokens

/// The secret that resume tokens are signed with, in a file of its own that only its owner may read.
enum KeyFile {
    private static let secretBytes = 32

    /// The file's key; a new one is made, and the file with it, where there is none.
    ///
    /// - Throws: ``SettingError`` where it can be neither read nor made, or is not whole.
    static func key(at path: String) throws(SettingError) -> ResumeKey {
        var secret = [UInt8](repeating: 0, count: secretBytes)
        let made = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0o600)
        if made >= 0 {
            defer { close(made) }
            var generator = SystemRandomNumberGenerator()
            for index in secret.indices {
                secret[index] = UInt8.random(in: 0...255, using: &generator)
            }
            guard secret.withUnsafeBytes({ write(made, $0.baseAddress, $0.count) }) == secretBytes,
                fsync(made) == 0
            else { throw SettingError(message: "cannot write \(path)") }
            return ResumeKey(secret: secret)
        }
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { throw SettingError(message: "cannot read \(path)") }
        defer { close(file) }
        let count = secret.withUnsafeMutableBytes { read(file, $0.baseAddress, $0.count) }
        guard count == secretBytes else {
            throw SettingError(message: "\(path) has no \(secretBytes) bytes")
        }
        return ResumeKey(secret: secret)
    }
}
