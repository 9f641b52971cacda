import Hub
import HubTesting
import HubTokens
import HubWorlds
import NetPollTesting
import Synchronization
import Testing
import WSFrame

// What credentials granted and what there is room for, when a session comes back.
extension ResumeTests {
    @Test func `what new credentials no longer grant does not come back by a token`() async throws {
        let bench = try await Self.bench { $0.authenticator = GrantAuthenticator() }
        let (ann, token) = try Self.follower(of: ["a", "secret"], "ann/secret", on: bench)
        ann.client.peer.reset()
        let same = try bench.connect("ann/secret")
        let all = try bench.ask(same, .resume(.init(token: token)))
        #expect(all.subscriptions.map(\.topic) == ["a", "secret"])
        same.client.peer.reset()
        // The token alone is as good as the credentials it was made with.
        let nobody = try bench.connect()
        let more = try bench.ask(nobody, .resume(.init(token: token)))
        #expect(more.subscriptions.map(\.topic) == ["a", "secret"])
        nobody.client.peer.reset()
        for token in [token, try #require(more.tokens.last)] {
            let other = try bench.connect("ann/other")
            let heard = try bench.ask(other, .resume(.init(token: token)))
            #expect(heard.subscriptions.map(\.topic) == ["a"])
            #expect(heard.tokens.count == 1)
            let refused = try bench.ask(
                other, .subscribe(Self.id(3), topic: "secret", after: nil))
            #expect(refused.failures == [.forbidden])
            other.client.peer.reset()
        }
    }

    @Test func `what is granted and does not fit into a token is asked for anew`() async throws {
        let bench = try await Self.bench {
            $0.authenticator = GrantAuthenticator()
            $0.resume?.namesBytesMax = 60
        }
        let long = "secret/" + String(repeating: "x", count: 60)
        let (ann, token) = try Self.follower(of: [long, "a"], "ann/\(long)", on: bench)
        ann.client.peer.reset()
        let again = try bench.connect("ann/other")
        let heard = try bench.ask(again, .resume(.init(token: token)))
        #expect(heard.subscriptions.map(\.topic) == ["a"])
    }

    @Test func `who came back by its token alone may renew its credentials`() async throws {
        let bench = try await Self.bench { $0.authenticator = GrantAuthenticator() }
        let (ann, token) = try Self.follower(of: ["a"], "ann", on: bench)
        ann.client.peer.reset()
        let again = try bench.connect()
        _ = try bench.ask(again, .resume(.init(token: token)))
        let others = try bench.ask(again, .refresh(Self.id(4), credentials: "bob/secret"))
        #expect(others.failures == [.badToken])
        let own = try bench.ask(again, .refresh(Self.id(5), credentials: "ann/secret"))
        #expect(own.contains(.reply(Self.id(5), Payload(text: ""))))
        let answers = try bench.ask(again, .subscribe(Self.id(6), topic: "secret", after: nil))
        #expect(answers.subscriptions.map(\.topic) == ["secret"])
        let id = try #require(bench.hub.sessions(of: "ann").last)
        let attributes = Mutex<[String: String]>([:])
        bench.hub.withSession(id) { session in
            attributes.withLock { $0 = session.attributes }
        }
        bench.network.run(for: .milliseconds(1))
        #expect(attributes.withLock { $0 } == ["plan": "secret"])
    }

    @Test func `what the application is asked about does not come back by a token meanwhile`()
        async throws
    {
        let bench = try await Self.bench { $0.authenticator = GrantAuthenticator() }
        let (ann, _) = try Self.follower(of: ["a", "held"], "ann/held", on: bench)
        bench.application.latch.hold()
        ann.say(.refresh(Self.id(4), credentials: "ann/other"))
        bench.network.run(for: .seconds(1))
        let token = try #require(try ann.take().tokens.last)
        ann.client.peer.reset()
        let again = try bench.connect("ann/other")
        let heard = try bench.ask(again, .resume(.init(token: token)))
        #expect(heard.subscriptions.map(\.topic) == ["a"])
        bench.application.latch.release()
        let answers = try bench.ask(again, .subscribe(Self.id(5), topic: "held", after: nil))
        #expect(answers.failures == [.forbidden])
    }

    @Test func `a topic for which there is no room now is left for the client to ask for`()
        async throws
    {
        let before = try await Self.bench()
        let (_, token) = try Self.follower(of: ["a", "b"], on: before)
        let after = try await Self.bench { $0.topicsMax = 1 }
        let again = try after.connect()
        let heard = try after.ask(again, .resume(.init(token: token)))
        #expect(heard.subscriptions.map(\.topic) == ["a"] && heard.tokens.count == 1)
        #expect(!heard.contains(.unsubscribed(nil, topic: "b")))
        let answers = try after.ask(again, .subscribe(Self.id(3), topic: "b", after: nil))
        #expect(answers.failures == [.overloaded])
    }
}

/// Believes whoever shows a name, and grants what stands behind its slash.
private struct GrantAuthenticator: HubAuthenticator {
    func authenticate(_ credentials: Credentials) async -> Authentication {
        let text: String? =
            switch credentials.shown {
            case .request(let request): request.query
            case .renewal(let token, _): token
            }
        guard let text, !text.isEmpty else { return .anonymous }
        let words = text.split(separator: "/", maxSplits: 1).map(String.init)
        let granted = words.dropFirst().first
        return .accepted(
            Identity(
                user: words[0], attributes: granted.map { ["plan": $0] } ?? [:],
                topics: granted.map { [TopicPattern($0)] } ?? []))
    }
}
