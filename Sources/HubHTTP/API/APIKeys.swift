public import WSFrame
import WSTransport

/// The keys by which programs may use a ``PushAPI``.
///
/// Kept as they are, and compared in a time that says nothing about them.
public struct APIKeys: Sendable {
    /// The shortest key: 16 bytes.
    public static let keyBytesMin = 16

    private let keys: [[UInt8]]

    /// Reads keys, one a line; empty lines, and those that begin with `#`, are left out.
    ///
    /// - Parameter lines: For example what a file holds, or a variable of the environment.
    /// - Throws: ``APIKeyError``.
    public init(lines: String) throws(APIKeyError) {
        var keys: [[UInt8]] = []
        for line in lines.split(whereSeparator: \.isNewline) {
            let key = line.filter { !$0.isWhitespace }
            guard !key.isEmpty, key.first != "#" else { continue }
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

    public var description: String {
        switch self {
        case .none: "there is no API key"
        case .tooShort(let count):
            "an API key has \(count) bytes, and has to have \(APIKeys.keyBytesMin)"
        }
    }
}
