import Testing
import WSFrame

@Suite("OriginPolicy, RFC 6455 §10.2")
struct OriginPolicyTests {
    @Test(arguments: [
        ("http://example.org", "example.org"),
        ("http://example.org", "example.org:80"),
        ("https://example.org", "example.org:443"),
        ("https://example.org", "example.org"),
        ("http://localhost:8080", "localhost:8080"),
        ("HTTP://Example.ORG", "example.org"),
        ("http://[::1]:8080", "[::1]:8080"),
        ("http://[::1]", "[::1]"),
        ("http://[::1]", "[::1]:80"),
    ])
    func `the page's own host and port are the same origin`(origin: String, host: String) {
        #expect(OriginPolicy.sameOrigin.admits(origin: origin, host: host))
    }

    @Test(arguments: [
        ("http://evil.org", "example.org"),
        ("http://example.org:8080", "example.org"),
        ("http://example.org", "example.org:8080"),
        ("http://example.org.evil.org", "example.org"),
        ("http://example.org@evil.org", "example.org"),
        ("https://example.org", "example.org:80"),
        ("null", "example.org"),
        ("", "example.org"),
        ("file://", "example.org"),
        ("example.org", "example.org"),
        ("http://", ""),
    ])
    func `anything else is another origin`(origin: String, host: String) {
        #expect(!OriginPolicy.sameOrigin.admits(origin: origin, host: host))
    }

    @Test(arguments: [.sameOrigin, .allowed([]), .any] as [OriginPolicy])
    func `a client without an origin is no browser and is let in`(policy: OriginPolicy) {
        #expect(policy.admits(origin: nil, host: nil))
        #expect(policy.admits(origin: nil, host: "example.org"))
    }

    @Test func `a page without a host to compare with is refused`() {
        #expect(!OriginPolicy.sameOrigin.admits(origin: "http://example.org", host: nil))
    }

    @Test func `a list admits what is in it, whichever host was asked`() {
        let policy = OriginPolicy.allowed(["https://example.org", "http://localhost:3000"])
        #expect(policy.admits(origin: "https://example.org", host: "api.example.org"))
        #expect(policy.admits(origin: "HTTPS://EXAMPLE.org", host: nil))
        #expect(policy.admits(origin: "http://localhost:3000", host: nil))
        #expect(!policy.admits(origin: "http://example.org", host: "example.org"))
        #expect(!policy.admits(origin: "https://example.org.evil.org", host: nil))
    }

    @Test func `any admits every page`() {
        #expect(OriginPolicy.any.admits(origin: "null", host: "example.org"))
    }

    @Test(arguments: [OriginPolicy.sameOrigin, .allowed(["https://example.org"])])
    func `an origin or host that is not short and ASCII is refused before it is compared`(
        policy: OriginPolicy
    ) {
        let marks = String(repeating: "\u{323}\u{301}", count: 200_000)
        #expect(!policy.admits(origin: "https://a" + marks, host: "a"))
        #expect(!policy.admits(origin: "https://example.org", host: "a" + marks))
        #expect(!policy.admits(origin: "https://" + String(repeating: "a", count: 600), host: "a"))
    }
}
