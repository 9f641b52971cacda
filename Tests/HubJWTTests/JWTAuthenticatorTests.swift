import Hub
import HubJWT
import JWTKit
import NetPoll
import Testing

@Suite("JWTAuthenticator")
struct JWTAuthenticatorTests {
    private static let now = Timestamp(milliseconds: 1_700_000_000_000)
    private static let inAnHour = now + .seconds(3_600)

    private let keys = JWTKeyCollection()

    private func authenticator(
        _ configure: (inout JWTAuthenticator.Configuration) -> Void = { _ in }
    ) async -> JWTAuthenticator {
        await keys.add(
            hmac: HMACKey(from: "0123456789abcdef0123456789abcdef"),
            digestAlgorithm: .sha256)
        var configuration = JWTAuthenticator.Configuration()
        configure(&configuration)
        return JWTAuthenticator(keys: keys, configuration: configuration)
    }

    private func answer(
        _ authenticator: JWTAuthenticator, _ token: String, at now: Timestamp = now
    ) async throws -> Authentication {
        await authenticator.authenticate(
            Credentials(
                .renewal(token, of: nil), from: try SocketAddress(host: "192.0.2.1", port: 1),
                at: now))
    }

    private func reason(_ answer: Authentication) -> AdmissionRefusal.Reason? {
        if case .refused(let refusal) = answer { return refusal.reason }
        return nil
    }

    @Test func `a token says who, on what, what for and until when`() async throws {
        let authenticator = await authenticator()
        let token = try await keys.sign(
            HubClaims(
                user: "ann", device: "phone", topics: ["rooms/*", "news"],
                attributes: ["plan": "free"], expiry: Self.inAnHour))
        guard case .accepted(let identity) = try await answer(authenticator, token) else {
            Issue.record("the token was refused")
            return
        }
        #expect(identity.user == "ann")
        #expect(identity.device == "phone")
        #expect(identity.attributes == ["plan": "free"])
        #expect(identity.topics == [TopicPattern("rooms/*"), TopicPattern("news")])
        #expect(identity.expiry == Self.inAnHour + .seconds(5))
    }

    @Test func `a token of another key, a changed one and none are refused`() async throws {
        let authenticator = await authenticator()
        let others = JWTKeyCollection()
        await others.add(
            hmac: HMACKey(from: "another key of thirty-two bytes."),
            digestAlgorithm: .sha256)
        let claims = HubClaims(user: "ann", expiry: Self.inAnHour)
        let forged = try await others.sign(claims)
        let good = try await keys.sign(claims)
        let parts = good.split(separator: ".")
        let changed = [parts[0], parts[1].dropLast() + "A", parts[2]].joined(separator: ".")
        let bare = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbm4iLCJleHAiOjE4MDAwMDAwMDB9."
        for token in [
            forged, changed, bare, "", "a.b", "...", String(repeating: "x", count: 5_000),
        ] {
            #expect(try await reason(answer(authenticator, token)) == .unauthenticated)
        }
        #expect(try await reason(answer(authenticator, good)) == nil)
    }

    @Test func `the hub's calendar says whether a token has expired`() async throws {
        let authenticator = await authenticator()
        let token = try await keys.sign(HubClaims(user: "ann", expiry: Self.inAnHour))
        let edge = Self.inAnHour + .seconds(5)
        #expect(
            try await reason(answer(authenticator, token, at: edge + .milliseconds(-1))) == nil)
        #expect(
            try await reason(answer(authenticator, token, at: edge)) == .credentialsExpired)
    }

    @Test func `a token that does not expire is refused unless it may`() async throws {
        let token = HubClaims(user: "ann")
        let strict = await authenticator()
        #expect(
            try await reason(answer(strict, keys.sign(token))) == .unauthenticated)
        let lenient = await authenticator { $0.lifetime = .unlimited }
        #expect(try await reason(answer(lenient, keys.sign(token))) == nil)
    }

    @Test func `issuer, audience and beginning are checked`() async throws {
        let authenticator = await authenticator {
            $0.issuer = "accounts"
            $0.audience = "push"
        }
        var claims = HubClaims(
            user: "ann", issuer: "accounts", audience: ["mail", "push"], expiry: Self.inAnHour)
        #expect(try await reason(answer(authenticator, keys.sign(claims))) == nil)
        claims.notBefore = Self.now + .seconds(6)
        #expect(
            try await reason(answer(authenticator, keys.sign(claims))) == .unauthenticated)
        claims.notBefore = nil
        claims.audience = ["mail"]
        #expect(
            try await reason(answer(authenticator, keys.sign(claims))) == .unauthenticated)
        claims.audience = ["push"]
        claims.issuer = nil
        #expect(
            try await reason(answer(authenticator, keys.sign(claims))) == .unauthenticated)
        claims.issuer = "accounts"
        claims.user = ""
        #expect(
            try await reason(answer(authenticator, keys.sign(claims))) == .unauthenticated)
    }

    @Test func `an audience of one may stand without its list`() async throws {
        struct Bare: JWTPayload {
            let sub = "ann"
            let aud = "push"
            let exp = 1_700_003_600.5
            func verify(using algorithm: some JWTAlgorithm) {}

            private enum CodingKeys: CodingKey { case sub, aud, exp }
        }
        let authenticator = await authenticator { $0.audience = "push" }
        guard
            case .accepted(let identity) = try await answer(authenticator, keys.sign(Bare()))
        else {
            Issue.record("the token was refused")
            return
        }
        #expect(identity.expiry == Timestamp(milliseconds: 1_700_003_605_500))
    }
}
