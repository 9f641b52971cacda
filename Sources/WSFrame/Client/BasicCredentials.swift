/// A user and password for the Basic scheme (RFC 7617), sent in clear: only for connections that
/// nobody else can read.
///
/// A client puts them into its ``WebSocketRequest``; a server asks ``areCarried(by:)``.
public struct BasicCredentials: Hashable, Sendable {
    public let user: String
    public let password: String

    /// - Precondition: `user` has no colon, and neither part a control character (RFC 7617 §2).
    public init(user: String, password: String) {
        precondition(!user.utf8.contains(UInt8(ascii: ":")), "a user name has no colon")
        precondition(
            (user + password).utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F },
            "credentials have no control characters")
        self.user = user
        self.password = password
    }

    /// The value of `Authorization` or `Proxy-Authorization`.
    public var headerValue: String {
        let text = Base64.encode(Array("\(user):\(password)".utf8))
        return "Basic " + String(decoding: text, as: UTF8.self)
    }

    /// Whether `request` carries these in its `Authorization`.
    ///
    /// How long it takes depends on the lengths alone, so that nobody can guess credentials letter by
    /// letter from the time that a refusal takes.
    public func areCarried(by request: HTTPRequest) -> Bool {
        guard let value = request.header("Authorization") else { return false }
        let (scheme, expected) = (value.utf8.prefix(6), headerValue.utf8)
        guard scheme.map(HTTPSyntax.lowercased).elementsEqual("basic ".utf8) else { return false }
        let token = value.utf8.dropFirst(6).drop { $0 == UInt8(ascii: " ") }
        return ConstantTime.areEqual(token, expected.dropFirst(6))
    }
}

extension BasicCredentials: CustomStringConvertible {
    /// Without the password, so that it does not end up in logs.
    public var description: String { "\(user):…" }
}
