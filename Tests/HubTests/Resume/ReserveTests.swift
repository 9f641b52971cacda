import Hub
import HubTesting
import HubTokens
import NetPoll
import NetPollTesting
import Testing
import WSFrame
import WSTransport

@Suite("What is kept free for those who come back, on the simulated network")
struct ReserveTests {
    @Test func `a request that shows a good resume token goes before logins`() async throws {
        let tokens = SignedResumeTokens(keys: [.random()])
        let bench = try await DoorBench {
            var rate = HandshakeRate()
            rate.perSecond = 1
            rate.burst = 3
            rate.reservedForResumes = 2
            $0.handshakeRate = rate
            $0.resume = ResumePolicy(tokens)
        }
        func token(_ tokens: SignedResumeTokens, until milliseconds: Int64) -> String {
            tokens.token(
                for: ResumeState(
                    user: "ann", topics: [], expiry: Timestamp(milliseconds: milliseconds)))
        }
        let good = token(tokens, until: .max)
        for (shown, status) in [
            ("", "101"), ("", "503"), ("no-token", "503"), (token(tokens, until: 0), "503"),
            (token(SignedResumeTokens(keys: [.random()]), until: .max), "503"), (good, "101"),
            (good, "101"), (good, "503"),
        ] {
            let offer = shown.isEmpty ? "" : ", longwire.resume.\(shown)"
            let answer = try bench.answer(
                to: "/ws", "Sec-WebSocket-Protocol: lines.1\(offer)\r\n")
            #expect(answer.hasPrefix("HTTP/1.1 \(status) "), "\(shown)")
            #expect(answer.contains("\r\nSec-WebSocket-Protocol: lines.1\r\n") == (status == "101"))
        }
    }
}
