/// A user and password for the Basic scheme (RFC 7617), sent in clear: only for connections that
/// nobody else can read.
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
}

extension BasicCredentials: CustomStringConvertible {
    /// Without the password, so that it does not end up in logs.
    public var description: String { "\(user):…" }
}
