import Hub
import HubTokens
import Testing

@Suite("Signed resume tokens")
struct SignedResumeTokensTests {
    private static let now = Timestamp(milliseconds: 1_700_000_000_000)
    private static let old = ResumeKey(secret: Array(repeating: 7, count: 32))
    private static let new = ResumeKey(secret: Array(repeating: 8, count: 16))

    private static func state(
        user: String? = "ann", device: String? = nil, topics: Int = 2,
        for life: Duration = .seconds(60), credentialsFor credentials: Duration? = nil,
        grants: [TopicPattern] = []
    ) -> ResumeState {
        ResumeState(
            user: user, device: device,
            topics: (0..<topics).map {
                KnownTopic(
                    topic: "room/é\u{0}\($0)",
                    position: TopicPosition(
                        epoch: Epoch(rawValue: .max - UInt64($0)), offset: UInt64($0) << 40))
            }, expiry: now + life, credentialsExpiry: credentials.map { now + $0 },
            grants: grants)
    }

    private static let tokens = SignedResumeTokens(keys: [old])

    @Test(arguments: [
        state(), state(user: nil, topics: 0), state(user: "", device: "é", topics: 100),
        state(credentialsFor: .seconds(5)), state(topics: 0, credentialsFor: .seconds(-1)),
        state(credentialsFor: .seconds(5), grants: ["a/*", "é/**", "**", ""]),
        state(grants: ["a"]),
    ])
    func `a token gives back what it was made of`(state: ResumeState) throws {
        let token = Self.tokens.token(for: state)
        #expect(try Self.tokens.state(of: token, at: Self.now) == state)
        #expect(
            token.utf8.allSatisfy { byte in
                (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte)
                    || (0x61...0x7a).contains(byte) || byte == 0x2d || byte == 0x5f
            })
    }

    @Test func `a token is good until its last millisecond and no longer`() throws {
        let token = Self.tokens.token(for: Self.state(for: .seconds(1)))
        _ = try Self.tokens.state(of: token, at: Self.now + .milliseconds(999))
        #expect(throws: ResumeTokenError.expired) {
            try Self.tokens.state(of: token, at: Self.now + .seconds(1))
        }
    }

    @Test func `no bit of a token can be changed`() throws {
        let token = Array(Self.tokens.token(for: Self.state()).utf8)
        for index in token.indices {
            for bit in 0..<7 {
                var changed = token
                changed[index] ^= 1 << UInt8(bit)
                let text = String(decoding: changed, as: UTF8.self)
                #expect(throws: ResumeTokenError.self, "byte \(index), bit \(bit)") {
                    try Self.tokens.state(of: text, at: Self.now)
                }
            }
        }
    }

    @Test func `what is wrong with a token is told apart`() throws {
        let token = Self.tokens.token(for: Self.state())
        #expect(throws: ResumeTokenError.foreign) {
            try SignedResumeTokens(keys: [Self.new]).state(of: token, at: Self.now)
        }
        // Behind the key's name and before the signature, which are 6 and 43 characters long.
        var characters = Array(token)
        characters[20] = characters[20] == "A" ? "B" : "A"
        #expect(throws: ResumeTokenError.tampered) {
            try Self.tokens.state(of: String(characters), at: Self.now)
        }
        for text in ["", "a.b", "é", token + "=", String(token.dropLast(token.count - 40))] {
            #expect(throws: ResumeTokenError.malformed, "\(text)") {
                try Self.tokens.state(of: text, at: Self.now)
            }
        }
        let long = String(repeating: "A", count: SignedResumeTokens.tokenBytesMax)
        #expect(throws: ResumeTokenError.foreign) {
            try Self.tokens.state(of: long, at: Self.now)
        }
        #expect(throws: ResumeTokenError.malformed) {
            try Self.tokens.state(of: long + "A", at: Self.now)
        }
    }

    @Test func `keys are changed without turning anybody out`() throws {
        let before = Self.tokens.token(for: Self.state())
        let rotated = SignedResumeTokens(keys: [Self.new, Self.old])
        #expect(try rotated.state(of: before, at: Self.now) == Self.state())
        let after = rotated.token(for: Self.state())
        #expect(throws: ResumeTokenError.foreign) {
            try Self.tokens.state(of: after, at: Self.now)
        }
        let later = SignedResumeTokens(keys: [Self.new])
        #expect(try later.state(of: after, at: Self.now) == Self.state())
        #expect(throws: ResumeTokenError.foreign) {
            try later.state(of: before, at: Self.now)
        }
    }

    @Test func `the same key signs the same in every process, random ones do not`() {
        let state = Self.state()
        #expect(
            Self.tokens.token(for: state)
                == SignedResumeTokens(keys: [Self.old]).token(for: state))
        #expect(
            SignedResumeTokens(keys: [.random()]).token(for: state)
                != SignedResumeTokens(keys: [.random()]).token(for: state))
    }

    @Test func `a secret that is too short traps`() async {
        await #expect(processExitsWith: .failure) {
            _ = ResumeKey(secret: Array(repeating: 1, count: ResumeKey.secretBytesMin - 1))
        }
    }
}
