import Crypto

/// A secret that resume tokens are signed with.
public struct ResumeKey: Sendable {
    /// The fewest bytes a secret may have.
    public static let secretBytesMin = 16
    /// Bytes by which tokens name their key.
    static let idBytes = 4

    let secret: SymmetricKey
    /// What a token says of its key; tells nothing of the secret.
    let id: [UInt8]

    /// Creates a key.
    ///
    /// - Parameter secret: At least ``secretBytesMin`` bytes that nobody can guess, 32 from a good
    ///   random source for choice. Fewer are a programmer's error.
    public init(secret: [UInt8]) {
        precondition(
            secret.count >= Self.secretBytesMin,
            "a secret of \(secret.count) bytes, fewer than \(Self.secretBytesMin)")
        let key = SymmetricKey(data: secret)
        self.secret = key
        var digest = HMAC<SHA256>(key: key)
        digest.update(data: Array("longwire resume key".utf8))
        id = Array(digest.finalize().prefix(Self.idBytes))
    }

    /// A key of 32 random bytes: its tokens end with the process.
    public static func random() -> ResumeKey {
        ResumeKey(secret: SymmetricKey(size: .bits256).withUnsafeBytes { Array($0) })
    }

    /// Signs a payload.
    func signature(of payload: [UInt8]) -> [UInt8] {
        var code = HMAC<SHA256>(key: secret)
        code.update(data: Self.domain + payload)
        return Array(code.finalize())
    }

    /// Whether it is the payload's signature, found out in constant time.
    func isSignature(_ signature: [UInt8], of payload: [UInt8]) -> Bool {
        HMAC<SHA256>.isValidAuthenticationCode(
            signature, authenticating: Self.domain + payload, using: secret)
    }

    /// Before what is signed, so that no signature of the secret for anything else is one of a token.
    private static let domain = Array("longwire resume 1\n".utf8)
}
