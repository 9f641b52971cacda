import Hub
import HubWebhooks
import Testing

@Suite("Signatures of webhooks")
struct WebhookSignatureTests {
    private static let body = Array(#"{"id":"1"}"#.utf8)
    private static let time = Timestamp(milliseconds: 1_700_000_000_999)
    private static let digits = "155ef682d3652591adcdd53164ff8c10cca2404f35c026b6646b08244f02cae3"
    private static let value = "t=1700000000,v1=\(digits)"

    private func secrets(_ lines: String = "a-secret-of-the-tests") throws -> WebhookSecrets {
        try WebhookSecrets(lines: lines)
    }

    private func isValid(_ value: String, after duration: Duration = .zero) throws -> Bool {
        WebhookSignature.isValid(
            value, for: Self.body, at: Self.time + duration, with: try secrets())
    }

    @Test func `a signature is the HMAC-SHA256 of time, full stop and body`() throws {
        // Computed by Python's hmac.
        #expect(
            WebhookSignature.sign(Self.body, at: Self.time, with: try secrets()) == Self.value)
        #expect(try isValid(Self.value))
    }

    @Test(arguments: [(300_999, false), (300_000, true), (-300_999, true), (-302_000, false)])
    func `a signature is believed as long as its time is near`(
        milliseconds: Int, isNear: Bool
    ) throws {
        #expect(try isValid(Self.value, after: .milliseconds(milliseconds - 999)) == isNear)
    }

    @Test(arguments: [
        "", "t=1700000000", "v1=\(digits)", "t=1700000001,v1=\(digits)",
        "t=1700000000,v1=\(digits.dropLast())", "t=1700000000,v1=\(digits)0",
        "t=1700000000,v1=\(digits.uppercased())", "t=-1,v1=\(digits)", "t=,v1=\(digits)",
        "t=1700000000,t=1700000000,v1=\(digits)", "t=99999999999999999999,v1=\(digits)",
        "t=9223372036854775807,v1=\(digits)", "t=1700000000;v1=\(digits)",
        "t=+1700000000,v1=\(digits)", "t=01700000000,v1=\(digits)", "t=1700000000 ,v1=\(digits)",
        "t=1700000000,v1=1\(digits.dropFirst())1", "t=1700000000,v1=é\(digits.dropFirst(2))",
    ])
    func `what is no signature of it is not believed`(value: String) throws {
        #expect(try !isValid(value))
    }

    @Test func `what later versions add is passed over`() throws {
        #expect(try isValid("t=1700000000,v2=abc,v1=\(Self.digits)"))
    }

    @Test func `another body, or another secret, is not believed`() throws {
        #expect(
            !WebhookSignature.isValid(
                Self.value, for: Self.body + [0x20], at: Self.time, with: try secrets()))
        #expect(
            !WebhookSignature.isValid(
                Self.value, for: Self.body, at: Self.time,
                with: try secrets("another-secret-of-the-tests")))
    }

    @Test func `while secrets change both sides believe each other`() throws {
        let old = try secrets("the-old-secret-of-it")
        let new = try secrets("the-new-secret-of-it")
        let both = try secrets("# both\nthe-new-secret-of-it\n\nthe-old-secret-of-it\n")
        let value = WebhookSignature.sign(Self.body, at: Self.time, with: both)
        #expect(value.split(separator: ",").count == 3)
        for secrets in [old, new, both] {
            #expect(
                WebhookSignature.isValid(value, for: Self.body, at: Self.time, with: secrets))
        }
    }

    @Test(arguments: [
        ([], WebhookError.Reason.noSecret), (["# none"], .noSecret),
        (["fifteen-bytes-x"], .shortSecret(bytes: 15)),
        ((0..<5).map { "a-secret-number-\($0)" }, .tooManySecrets(5)),
    ])
    func `secrets that are none, too short or too many are refused`(
        lines: [String], reason: WebhookError.Reason
    ) {
        let text = lines.joined(separator: "\n")
        #expect(throws: WebhookError(reason)) { try WebhookSecrets(lines: text) }
    }

    @Test func `a secret with spaces is what stands there, without those at its ends`() throws {
        let phrase = try secrets("# a phrase\n \tcorrect horse battery staple \r\n")
        // Computed by Python's hmac.
        let digits = "39ab8f5a22a1866cd4be24dcb05afe69d13df94d3acf7e10254445e772a84e8c"
        #expect(
            WebhookSignature.sign(Self.body, at: Self.time, with: phrase)
                == "t=1700000000,v1=\(digits)")
    }

    @Test func `a secret of the fewest bytes is taken, and the most secrets are`() throws {
        let lines = (0..<4).map { "sixteen-bytes--\($0)" }.joined(separator: "\n")
        #expect(throws: Never.self) { try WebhookSecrets(lines: lines) }
    }
}
