import Crypto
import HubHTTP

/// The secrets that a webhook's requests are signed with.
public struct WebhookSecrets: Sendable {
    /// The shortest secret: 16 bytes.
    public static let secretBytesMin = 16
    /// The most secrets: 4, to change one for another.
    public static let secretsMax = 4

    let keys: [SymmetricKey]

    /// Reads secrets, one a line; empty lines, those that begin with `#`, and white space at the ends
    /// of lines are left out. What stands within a line is the secret, with its spaces.
    ///
    /// A request has a signature by each of them, so that a receiver that knows one believes it. To change
    /// secrets put the new one in beside the old one, then give it to the receiver, then take the old one
    /// out.
    ///
    /// - Parameter lines: For example what a file holds, or a variable of the environment.
    /// - Throws: ``WebhookError``.
    public init(lines: String) throws(WebhookError) {
        var keys: [SymmetricKey] = []
        for secret in SecretLines.read(lines) {
            guard secret.utf8.count >= Self.secretBytesMin else {
                throw WebhookError(.shortSecret(bytes: secret.utf8.count))
            }
            keys.append(SymmetricKey(data: Array(secret.utf8)))
        }
        guard !keys.isEmpty else { throw WebhookError(.noSecret) }
        guard keys.count <= Self.secretsMax else {
            throw WebhookError(.tooManySecrets(keys.count))
        }
        self.keys = keys
    }
}

/// A webhook cannot be set up so.
public struct WebhookError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What stands against it.
    public enum Reason: Hashable, Sendable {
        /// The URL is none, or asks for what there is not, such as TLS.
        case url(String)
        /// The URL has a user or password in it, which would be seen where URLs are.
        case credentials
        /// There is no secret.
        case noSecret
        /// A secret has so few bytes only.
        case shortSecret(bytes: Int)
        /// There are so many secrets.
        case tooManySecrets(Int)
    }

    /// What stands against it.
    public let reason: Reason

    /// Creates an error.
    public init(_ reason: Reason) {
        self.reason = reason
    }

    public var description: String {
        switch reason {
        case .url(let text): text
        case .credentials: "the URL has a user or password in it"
        case .noSecret: "there is no secret"
        case .shortSecret(let bytes):
            "a secret has \(bytes) bytes, and has to have \(WebhookSecrets.secretBytesMin)"
        case .tooManySecrets(let count):
            "there are \(count) secrets, and may be \(WebhookSecrets.secretsMax)"
        }
    }
}
