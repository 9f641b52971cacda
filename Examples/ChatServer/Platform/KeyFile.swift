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
        if let secret = try secret(at: path) { return ResumeKey(secret: secret) }
        try make(at: path)
        guard let secret = try secret(at: path) else {
            throw SettingError(message: "\(path) is gone as soon as it is made")
        }
        return ResumeKey(secret: secret)
    }

    /// What the file holds; `nil` where there is none.
    private static func secret(at path: String) throws(SettingError) -> [UInt8]? {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else {
            if errno == ENOENT { return nil }
            throw SettingError(message: "cannot read \(path)")
        }
        defer { close(file) }
        var secret = [UInt8](repeating: 0, count: secretBytes)
        let count = secret.withUnsafeMutableBytes { read(file, $0.baseAddress, $0.count) }
        guard count == secretBytes else {
            throw SettingError(message: "\(path) has no \(secretBytes) bytes")
        }
        return secret
    }

    /// Makes the file with a new secret. It gets its name when it is whole and on the disk: what ends
    /// before that leaves nothing in the way of the next start. Of two that are made at once the first
    /// stays.
    private static func make(at path: String) throws(SettingError) {
        var generator = SystemRandomNumberGenerator()
        let new = "\(path).\(String(generator.next(), radix: 36))"
        let file = open(new, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw SettingError(message: "cannot make \(path)") }
        defer {
            close(file)
            unlink(new)
        }
        var secret = [UInt8](repeating: 0, count: secretBytes)
        for index in secret.indices {
            secret[index] = UInt8.random(in: 0...255, using: &generator)
        }
        guard secret.withUnsafeBytes({ write(file, $0.baseAddress, $0.count) }) == secretBytes,
            fsync(file) == 0
        else { throw SettingError(message: "cannot write \(path)") }
        guard link(new, path) == 0 || errno == EEXIST else {
            throw SettingError(message: "cannot make \(path)")
        }
    }
}
