public import Hub
public import JWTKit

/// The claims of a token that names a user of a hub (RFC 7519 §4).
///
/// ```swift
/// let keys = JWTKeyCollection()
/// await keys.add(hmac: HMACKey(from: secret), digestAlgorithm: .sha256)
/// let token = try await keys.sign(HubClaims(user: "ann", topics: ["rooms/*"], expiry: inAnHour))
/// ```
public struct HubClaims: JWTPayload, Hashable {
    /// `sub`: the user's name.
    public var user: String
    /// `device`: which of the user's devices it is.
    public var device: String?
    /// `topics`: patterns of topics that the client may subscribe to; see `TopicPattern`.
    public var topics: [String]
    /// `attributes`: what the session is to remember of the client.
    public var attributes: [String: String]
    /// `iss`: who has issued it.
    public var issuer: String?
    /// `aud`: whom it is for; one name may stand without its list.
    public var audience: [String]
    /// `exp`: from when on it is of no use; to the second when written, as it was when read.
    public var expiry: Timestamp?
    /// `nbf`: until when it is of no use yet.
    public var notBefore: Timestamp?

    private enum CodingKeys: String, CodingKey {
        case user = "sub"
        case device, topics, attributes
        case issuer = "iss"
        case audience = "aud"
        case expiry = "exp"
        case notBefore = "nbf"
    }

    /// Creates claims.
    public init(
        user: String, device: String? = nil, topics: [String] = [],
        attributes: [String: String] = [:], issuer: String? = nil, audience: [String] = [],
        expiry: Timestamp? = nil, notBefore: Timestamp? = nil
    ) {
        self.user = user
        self.device = device
        self.topics = topics
        self.attributes = attributes
        self.issuer = issuer
        self.audience = audience
        self.expiry = expiry
        self.notBefore = notBefore
    }

    public init(from decoder: any Decoder) throws {
        let claims = try decoder.container(keyedBy: CodingKeys.self)
        user = try claims.decode(String.self, forKey: .user)
        device = try claims.decodeIfPresent(String.self, forKey: .device)
        topics = try claims.decodeIfPresent([String].self, forKey: .topics) ?? []
        attributes =
            try claims.decodeIfPresent([String: String].self, forKey: .attributes) ?? [:]
        issuer = try claims.decodeIfPresent(String.self, forKey: .issuer)
        if let one = try? claims.decodeIfPresent(String.self, forKey: .audience) {  // or a list
            audience = [one]
        } else {
            audience = try claims.decodeIfPresent([String].self, forKey: .audience) ?? []
        }
        expiry = try Self.time(.expiry, in: claims)
        notBefore = try Self.time(.notBefore, in: claims)
    }

    public func encode(to encoder: any Encoder) throws {
        var claims = encoder.container(keyedBy: CodingKeys.self)
        try claims.encode(user, forKey: .user)
        try claims.encodeIfPresent(device, forKey: .device)
        if !topics.isEmpty { try claims.encode(topics, forKey: .topics) }
        if !attributes.isEmpty { try claims.encode(attributes, forKey: .attributes) }
        try claims.encodeIfPresent(issuer, forKey: .issuer)
        if !audience.isEmpty { try claims.encode(audience, forKey: .audience) }
        try claims.encodeIfPresent(expiry.map { $0.milliseconds / 1_000 }, forKey: .expiry)
        try claims.encodeIfPresent(notBefore.map { $0.milliseconds / 1_000 }, forKey: .notBefore)
    }

    /// Checks nothing: ``JWTAuthenticator`` does, by the hub's calendar.
    public func verify(using algorithm: some JWTAlgorithm) {}

    /// A NumericDate: seconds since 1970, perhaps with a fraction (RFC 7519 §2).
    private static func time(
        _ key: CodingKeys, in claims: KeyedDecodingContainer<CodingKeys>
    ) throws -> Timestamp? {
        guard let seconds = try claims.decodeIfPresent(Double.self, forKey: key) else { return nil }
        guard let milliseconds = Int64(exactly: (seconds * 1_000).rounded(.down)) else {
            throw DecodingError.dataCorruptedError(
                forKey: key, in: claims, debugDescription: "\(seconds) is no date")
        }
        return Timestamp(milliseconds: milliseconds)
    }
}
