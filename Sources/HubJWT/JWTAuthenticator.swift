public import Hub
public import JWTKit

/// Finds out who a hub's clients are by signed tokens (JSON Web Tokens, RFC 7519), with ``HubClaims``.
///
/// ```swift
/// let keys = JWTKeyCollection()
/// await keys.add(hmac: HMACKey(from: secret), digestAlgorithm: .sha256)
/// configuration.authenticator = JWTAuthenticator(keys: keys)
/// ```
///
/// A session ends when its token expires, unless its client sends a new one before.
public struct JWTAuthenticator: HubAuthenticator {
    /// What is asked of a token beside its signature.
    public struct Configuration: Hashable, Sendable {
        /// Where a request may have the token; the first that is there counts. Default: `Authorization:
        /// Bearer`, then the field `token` of the query.
        public var places: [Credentials.Place] = [.bearer, .query("token")]
        /// What happens to clients without a token. Default: they are refused.
        public var withoutToken = WithoutToken.refuse
        /// Who has to have issued it; `nil`, the default, for anybody who has a key.
        public var issuer: String?
        /// Whom it has to be for; `nil`, the default, for anybody.
        public var audience: String?
        /// Whether it may be without an expiry. Default: it may not.
        public var lifetime = Lifetime.limited
        /// How far the issuer's clock may be off. Default 5 s.
        public var leeway = Duration.seconds(5)
        /// The longest token that is looked at, in bytes. Default 4 KiB.
        public var tokenBytesMax = 4 << 10

        /// Creates the defaults.
        public init() {}
    }

    /// What happens to clients that show no token.
    public enum WithoutToken: Hashable, Sendable {
        /// They get no session.
        case refuse
        /// They get a session that is nobody's.
        case admitAnonymous
    }

    /// Whether tokens have to expire.
    public enum Lifetime: Hashable, Sendable {
        /// A token without `exp` is refused.
        case limited
        /// A token without `exp` is good for ever.
        case unlimited
    }

    private let keys: JWTKeyCollection
    private let configuration: Configuration

    /// Creates an authenticator.
    ///
    /// - Parameters:
    ///   - keys: What signatures are checked with. Keys may be added and removed at any time.
    ///   - configuration: What else is asked of a token.
    public init(keys: JWTKeyCollection, configuration: Configuration = .init()) {
        self.keys = keys
        self.configuration = configuration
    }

    public func authenticate(_ credentials: Credentials) async -> Authentication {
        guard let token = credentials.token(from: configuration.places), !token.isEmpty else {
            switch configuration.withoutToken {
            case .refuse: return Self.refused("no token")
            case .admitAnonymous: return .anonymous
            }
        }
        guard token.utf8.count <= configuration.tokenBytesMax else {
            return Self.refused("a token of more than \(configuration.tokenBytesMax) bytes")
        }
        let claims: HubClaims
        do {
            claims = try await keys.verify(token, as: HubClaims.self)
        } catch {
            // Which of the many ways of being wrong it was is nobody's business.
            return Self.refused("the token is not valid")
        }
        return decision(on: claims, at: credentials.now)
    }

    private func decision(on claims: HubClaims, at now: Timestamp) -> Authentication {
        let leeway = configuration.leeway
        if let issuer = configuration.issuer, claims.issuer != issuer {
            return Self.refused("the token is another issuer's")
        }
        if let audience = configuration.audience, !claims.audience.contains(audience) {
            return Self.refused("the token is for others")
        }
        if let notBefore = claims.notBefore, now + leeway < notBefore {
            return Self.refused("the token is not valid yet")
        }
        guard !claims.user.isEmpty else { return Self.refused("the token names nobody") }
        if let expiry = claims.expiry {
            guard now < expiry + leeway else {
                return .refused(
                    AdmissionRefusal(.credentialsExpired, "the token has expired"))
            }
        } else if configuration.lifetime == .limited {
            return Self.refused("the token does not expire")
        }
        return .accepted(
            Identity(
                user: claims.user, device: claims.device, attributes: claims.attributes,
                topics: claims.topics.map { TopicPattern($0) },
                expiry: claims.expiry.map { $0 + leeway }))
    }

    private static func refused(_ why: String) -> Authentication {
        .refused(AdmissionRefusal(.unauthenticated, why))
    }
}
