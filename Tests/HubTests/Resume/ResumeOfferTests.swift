import Hub
import Testing

@Suite("ResumeOffer")
struct ResumeOfferTests {
    @Test(arguments: ["t", "AbC-_.1", String(repeating: "a", count: ResumeOffer.tokenBytesMax)])
    func `a token of letters, digits and - _ . is offered`(token: String) {
        #expect(ResumeOffer.subprotocol(for: token) == "longwire.resume.\(token)")
    }

    /// What a subprotocol's name cannot hold would make the request one that may not be sent.
    @Test(arguments: [
        "", "a b", "a,b", "a/b", "a=", "a+b", "é", "a\r\nb", "a\u{0}",
        String(repeating: "a", count: ResumeOffer.tokenBytesMax + 1),
    ])
    func `any other is not`(token: String) {
        #expect(ResumeOffer.subprotocol(for: token) == nil)
    }
}
