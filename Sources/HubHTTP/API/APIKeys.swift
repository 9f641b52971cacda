public import WSFrame
import WSTransport

/// The keys by which programs may use a ``PushAPI``.
///
/// Kept as they are, and compared in a time that says nothing about them.
public struct APIKeys: Sendable {
    /// The shortest key: 16 bytes.
    public static let keyBytesMin = 16

    private let keys: [[UInt8]]

    /// Reads keys of printable ASCII without spaces, one a line; empty lines, those that begin with
    /// `#`, and white space at the ends of lines are left out.
    ///
    /// - Parameter lines: For example what a file holds, or a variable of the environment.
    /// - Throws: ``APIKeyError``.
    public init(lines: String) throws(APIKeyError) {
        var keys: [[UInt8]] = []
        for key in SecretLines.read(lines) {
            guard key.utf8.allSatisfy({ (0x21...0x7e).contains($0) }) else { throw .invalid }
            guard key.utf8.count >= Self.keyBytesMin else { throw .tooShort(key.utf8.count) }
            keys.append(Array(key.utf8))
        }
        guard !keys.isEmpty else { throw .none }
        self.keys = keys
    }

    /// Whether a request has one of the keys, as `Authorization: Bearer KEY` or `X-API-Key: KEY`.
    public func admit(_ request: HTTPRequest) -> Bool {
        (request.bearerToken ?? request.header("X-API-Key")).map { admit($0) } ?? false
    }

    /// Whether that is one of the keys.
    package func admit(_ key: String) -> Bool {
        ConstantTime.firstIndex(of: key.utf8, in: keys) != nil
    }
}

/// Keys cannot be used.
public enum APIKeyError: Error, Hashable, Sendable, CustomStringConvertible {
    /// There is none.
    case none
    /// One has so few bytes only.
    case tooShort(Int)
    /// One has something in it, such as a space, that no request could show.
    case invalid

    public var description: String {
        switch self {
        case .none: "there is no API key"
        case .tooShort(let count):
            "an API key has \(count) bytes, and has to have \(APIKeys.keyBytesMin)"
        case .invalid: "an API key has a space, or something else that is not printable ASCII"
        }
    }
}
