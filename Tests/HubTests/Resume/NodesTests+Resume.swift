import Hub
import HubTesting
import HubTokens
import HubWorlds
import NetPollTesting
import Testing
import WSFrame

extension NodesTests {
    @Test func `one that goes before it was told of a gap is told when it comes back by its token`()
        async throws
    {
        let key = ResumeKey(secret: Array(repeating: 7, count: 32))
        let nodes = try await Nodes(historyMessagesMax: 10) {
            $0.resume = ResumePolicy(SignedResumeTokens(keys: [key]))
            $0.resume?.lifetime = .seconds(20)
        }
        let id = RequestID(rawValue: 1)
        let ann = try nodes.one.join("ann")
        let bob = try nodes.other.connect("bob", windowBytes: 2_000)
        ann.say("sub 1 a")
        bob.say(.subscribe(id, topic: "a", after: nil))
        nodes.settle()
        _ = try bob.take()
        bob.client.peer.stall()
        ann.say("pub 1 a stored - \(String(repeating: "x", count: 3_000))")
        nodes.settle()
        miss(ann, on: nodes)
        // Its token is renewed while what was missed waits.
        nodes.other.network.run(for: .seconds(12))
        bob.client.peer.resume()
        var token: String?
        for _ in 0..<100 where token == nil {
            nodes.other.network.run(for: .milliseconds(1))
            token = try bob.take().tokens.last
        }
        bob.client.peer.reset()
        let again = try nodes.other.connect()
        let heard = try nodes.other.ask(again, .resume(.init(token: try #require(token))))
        #expect(heard.subscriptions.map(\.isRecovered) == [false])
        #expect(heard.texts == (21...30).map { "m\($0)" })
    }
}
