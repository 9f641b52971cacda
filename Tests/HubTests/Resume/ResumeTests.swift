import HubTesting
import HubTokens
import HubWorlds
import NetPoll
import NetPollTesting
import Synchronization
import Testing
import WSFrame

@testable import Hub

@Suite("Sessions that come back by a token, on the simulated network")
struct ResumeTests {
    private static let key = ResumeKey(secret: Array(repeating: 7, count: 32))

    static func bench(
        _ configure: (inout HubConfiguration) -> Void = { _ in }
    ) async throws -> LineBench {
        try await LineBench {
            $0.resume = ResumePolicy(SignedResumeTokens(keys: [key]))
            configure(&$0)
        }
    }

    static func id(_ number: UInt32) -> RequestID { RequestID(rawValue: number) }

    private static func publish(_ text: String, to topic: String) -> ClientEnvelope {
        .publish(.init(request: id(9), topic: topic, message: HubMessage(text: text)))
    }

    /// One who follows `topics`, and its last token.
    static func follower(
        of topics: [String], _ who: String = "ann/phone", on bench: LineBench
    ) throws -> (EnvelopeClient, token: String) {
        let client = try bench.connect(who)
        for (number, topic) in topics.enumerated() {
            client.say(.subscribe(id(UInt32(number)), topic: topic, after: nil))
        }
        bench.network.run(for: .seconds(1))
        return (client, try #require(try client.take().tokens.last))
    }

    @Test func `one who comes back is who it was and gets what it missed, in one round trip`()
        async throws
    {
        let bench = try await Self.bench()
        let (ann, token) = try Self.follower(of: ["a", "b"], on: bench)
        let bob = try bench.connect("bob")
        ann.client.peer.reset()
        for number in 1...3 { _ = try bench.ask(bob, Self.publish("m\(number)", to: "a")) }
        let again = try bench.connect()
        let heard = try bench.ask(again, .resume(.init(token: token)))
        #expect(heard.welcomes.map(\.isResumed) == [false, true])
        #expect(heard.welcomes.map(\.user) == [nil, "ann"])
        #expect(Set(heard.subscriptions.map(\.topic)) == ["a", "b"])
        #expect(heard.subscriptions.allSatisfy { $0.isRecovered && $0.request == nil })
        #expect(heard.texts == ["m1", "m2", "m3"])
        #expect(heard.tokens.count == 1)
        #expect(bench.hub.sessions(of: "ann").count == 1)
        #expect(bench.application.resumed.withLock { $0 } == ["ann a,b"])
        // The new token says how far it is now.
        again.client.peer.reset()
        _ = try bench.ask(bob, Self.publish("m4", to: "a"))
        let third = try bench.connect()
        let more = try bench.ask(third, .resume(.init(token: try #require(heard.tokens.last))))
        #expect(more.texts.suffix(1) == ["m4"])
    }

    @Test func `a client that knows more than its token is not told it again`() async throws {
        let bench = try await Self.bench()
        let (ann, token) = try Self.follower(of: ["a"], on: bench)
        let bob = try bench.connect("bob")
        var known: TopicPosition?
        for number in 1...4 {
            let answers = try bench.ask(bob, Self.publish("m\(number)", to: "a"))
            if number == 3 { known = try #require(answers.published.first) }
        }
        ann.client.peer.reset()
        let position = try #require(known)
        let again = try bench.connect()
        let heard = try bench.ask(
            again,
            .resume(
                .init(
                    token: token,
                    positions: [
                        KnownTopic(topic: "a", position: position),
                        KnownTopic(topic: "never subscribed", position: position),
                    ])))
        #expect(heard.texts == ["m4"])
        #expect(heard.subscriptions.map(\.topic) == ["a"])
    }

    @Test func `what a client has not read is not counted as known`() async throws {
        let bench = try await Self.bench { $0.resume?.lifetime = .seconds(20) }
        let ann = try bench.connect("ann", windowBytes: 2_000)
        ann.say(.subscribe(Self.id(1), topic: "a", after: nil))
        bench.network.run(for: .seconds(1))
        let before = try ann.take().texts.count
        ann.client.peer.stall()
        let bob = try bench.connect("bob")
        for number in 1...30 {
            let text = "\(number) " + String(repeating: "x", count: 300)
            _ = try bench.ask(bob, Self.publish(text, to: "a"))
        }
        // Its token is renewed while most of this waits; the token waits before it.
        bench.network.run(for: .seconds(12))
        ann.client.peer.resume()
        bench.network.run(for: .milliseconds(2))
        var heard = try ann.take()
        ann.client.peer.reset()
        let token = try #require(heard.tokens.last)
        let again = try bench.connect()
        let rest = try bench.ask(again, .resume(.init(token: token)))
        #expect(rest.subscriptions.map(\.isRecovered) == [true])
        heard += rest
        let numbers = heard.texts.compactMap { Int($0.prefix { $0 != " " }) }
        #expect(before == 0)
        #expect(Set(numbers) == Set(1...30))
        #expect(rest.texts.last?.hasPrefix("30 ") ?? false)
    }

    @Test func `a restart with a durable store loses nothing, one without says so`() async throws {
        for isDurable in [true, false] {
            let store = SlowStore(durability: isDurable ? .durable : .process)
            let before = try await Self.bench { $0.store = store }
            let (_, token) = try Self.follower(of: ["a"], on: before)
            let bob = try before.connect("bob")
            for number in 1...3 { _ = try before.ask(bob, Self.publish("m\(number)", to: "a")) }
            let after = try await Self.bench { $0.store = store }
            let again = try after.connect()
            let heard = try after.ask(again, .resume(.init(token: token)))
            #expect(heard.welcomes.last?.isResumed == true)
            #expect(heard.subscriptions.map(\.isRecovered) == [isDurable])
            #expect(heard.texts == (isDurable ? ["m1", "m2", "m3"] : []))
        }
    }

    @Test func `a token that is not believed changes nothing`() async throws {
        let bench = try await Self.bench { $0.resume?.lifetime = .seconds(10) }
        let (ann, token) = try Self.follower(of: ["a"], on: bench)
        ann.client.peer.reset()
        let other = SignedResumeTokens(keys: [.random()]).token(
            for: ResumeState(
                user: "eve", topics: [], expiry: Timestamp(milliseconds: 1_000_000_000)))
        for wrong in ["", "nonsense", other, token + "A"] {
            let client = try bench.connect()
            let heard = try bench.ask(client, .resume(.init(token: wrong)))
            #expect(heard.failures == [.badToken])
            #expect(heard.welcomes.count == 1)
            #expect(heard.subscriptions.isEmpty)
            // It goes on as a new one.
            let answers = try bench.ask(client, .subscribe(Self.id(3), topic: "a", after: nil))
            #expect(answers.subscriptions.count == 1)
        }
        bench.network.run(for: .seconds(10))
        let late = try bench.connect()
        #expect(try bench.ask(late, .resume(.init(token: token))).failures == [.badToken])
        let bob = try bench.connect("bob")
        #expect(try bench.ask(bob, .resume(.init(token: token))).failures == [.badToken])
    }

    @Test func `a token is for its own user, who may be named before it`() async throws {
        let bench = try await Self.bench()
        let (ann, token) = try Self.follower(of: ["a"], on: bench)
        ann.client.peer.reset()
        let bob = try bench.connect("bob")
        #expect(try bench.ask(bob, .resume(.init(token: token))).failures == [.badToken])
        let again = try bench.connect("ann")
        #expect(
            try bench.ask(again, .resume(.init(token: token))).subscriptions.map(\.topic) == ["a"])
        let busy = try bench.connect()
        _ = try bench.ask(busy, .subscribe(Self.id(1), topic: "b", after: nil))
        #expect(try bench.ask(busy, .resume(.init(token: token))).failures == [.badToken])
        bench.hub.ban(user: "ann")
        let banned = try bench.connect()
        #expect(try bench.ask(banned, .resume(.init(token: token))).failures == [.forbidden])
    }

    @Test func `credentials expire for who comes back without any, too`() async throws {
        let bench = try await Self.bench { $0.authenticator = MinuteAuthenticator() }
        let (ann, token) = try Self.follower(of: ["a"], "ann", on: bench)
        ann.client.peer.reset()
        let again = try bench.connect()
        let heard = try bench.ask(again, .resume(.init(token: token)))
        #expect(heard.welcomes.map(\.user) == [nil, "ann"])
        let renewed = try #require(heard.tokens.last)
        bench.network.run(for: .seconds(50))
        #expect(again.client.closeCode == nil)
        bench.network.run(for: .seconds(10))
        #expect(again.client.closeCode == 4_419)
        for token in [token, renewed] {
            let late = try bench.connect()
            #expect(try bench.ask(late, .resume(.init(token: token))).failures == [.badToken])
        }
        // With new ones its token is as good as before.
        let known = try bench.connect("ann")
        let answers = try bench.ask(known, .resume(.init(token: token)))
        #expect(answers.subscriptions.map(\.topic) == ["a"])
    }

    @Test func `credentials that are renewed are so in the token`() async throws {
        let bench = try await Self.bench { $0.authenticator = MinuteAuthenticator() }
        let (ann, _) = try Self.follower(of: ["a"], "ann", on: bench)
        bench.network.run(for: .seconds(40))
        let heard = try bench.ask(ann, .refresh(Self.id(5), credentials: "ann"))
        let token = try #require(heard.tokens.last)
        ann.client.peer.reset()
        bench.network.run(for: .seconds(40))
        let again = try bench.connect()
        let answers = try bench.ask(again, .resume(.init(token: token)))
        #expect(answers.welcomes.last?.user == "ann")
    }

    @Test func `what was revoked meanwhile is ended before anything of it is sent`() async throws {
        let bench = try await Self.bench()
        let (ann, token) = try Self.follower(of: ["a", "revoked"], on: bench)
        ann.client.peer.reset()
        let bob = try bench.connect("bob")
        _ = try bench.ask(bob, Self.publish("secret", to: "revoked"))
        let again = try bench.connect()
        let heard = try bench.ask(again, .resume(.init(token: token)))
        #expect(heard.texts.isEmpty)
        #expect(bench.application.resumed.withLock { $0 } == ["ann a,revoked"])
    }

    @Test func `the handler is asked before topics are read, and none waits for another`()
        async throws
    {
        let store = SlowStore(durability: .durable)
        let before = try await Self.bench { $0.store = store }
        let (_, token) = try Self.follower(of: ["a", "b", "revoked"], on: before)
        let after = try await Self.bench { $0.store = store }
        let bob = try after.connect("bob")
        for topic in ["a", "revoked"] { _ = try after.ask(bob, Self.publish(topic, to: topic)) }
        store.hold()
        let again = try after.connect()
        let early = try after.ask(again, .resume(.init(token: token)))
        // The topic that is read goes on, and the one that the client may no longer have is ended.
        #expect(early.subscriptions.map(\.topic) == ["a"])
        #expect(early.texts == ["a"] && early.tokens.isEmpty)
        #expect(early.contains(.unsubscribed(nil, topic: "revoked")))
        #expect(after.application.resumed.withLock { $0 } == ["ann a,b,revoked"])
        _ = try after.ask(again, .message(HubMessage(text: "hello")))
        #expect(after.application.heard.withLock { $0 } == ["hello"])
        store.release()
        after.network.run(for: .seconds(1))
        let late = try again.take()
        #expect(late.subscriptions.map(\.topic) == ["b"])
        #expect(late.texts.isEmpty && late.tokens.count == 1)
        #expect(after.application.resumed.withLock { $0.count } == 1)
    }

    @Test func `what the client says behind its token is handled after the handler was asked`()
        async throws
    {
        let store = SlowStore(durability: .durable)
        let before = try await Self.bench { $0.store = store }
        let (_, token) = try Self.follower(of: ["b"], on: before)
        let after = try await Self.bench { $0.store = store }
        store.hold()
        let again = try after.connect()
        again.say(.resume(.init(token: token)))
        _ = try after.ask(again, .message(HubMessage(text: "hello")))
        #expect(after.application.heard.withLock { $0 } == ["hello"])
        #expect(after.application.resumed.withLock { $0 } == ["ann b"])
        store.release()
    }

    @Test func `who says its token again and again waits once for each topic`() async throws {
        let store = SlowStore(durability: .durable)
        let before = try await Self.bench { $0.store = store }
        let (_, token) = try Self.follower(of: ["a", "b"], on: before)
        let after = try await Self.bench { $0.store = store }
        store.hold()
        let again = try after.connect()
        for _ in 0..<100 { again.say(.resume(.init(token: token))) }
        after.network.run(for: .seconds(1))
        for name in ["a", "b"] {
            let topic = try #require(after.hub.existingTopic(name))
            #expect(topic.state.withLock { $0.waiting.count } == 1)
        }
        _ = try again.take()
        store.release()
        after.network.run(for: .seconds(1))
        let heard = try again.take()
        #expect(Set(heard.subscriptions.map(\.topic)) == ["a", "b"])
        #expect(heard.tokens.count == 1)
    }

    @Test func `tokens are renewed in time, gather changes and are bounded`() async throws {
        let bench = try await Self.bench {
            $0.resume?.lifetime = .seconds(100)
            $0.resume?.namesBytesMax = 60
        }
        let (ann, _) = try Self.follower(of: ["a", "b", "c"], on: bench)
        bench.network.run(for: .seconds(45))
        #expect(try ann.take().tokens.isEmpty)
        bench.network.run(for: .seconds(10))
        let token = try #require(try ann.take().tokens.first)
        ann.client.peer.reset()
        let again = try bench.connect()
        let heard = try bench.ask(again, .resume(.init(token: token)))
        // Each takes 25 bytes; the third is left for the client to ask for.
        #expect(heard.subscriptions.map(\.topic) == ["a", "b"])
    }

    @Test func `without a policy there are no tokens, and none is taken`() async throws {
        let bench = try await LineBench()
        let ann = try bench.connect("ann")
        let heard = try bench.ask(ann, .subscribe(Self.id(1), topic: "a", after: nil))
        #expect(heard.tokens.isEmpty)
        #expect(try bench.ask(ann, .resume(.init(token: "x"))).failures == [.unsupported])
    }

    @Test func `both forms resume each other's sessions`() async throws {
        let bench = try await Self.bench()
        let (ann, token) = try Self.follower(of: ["a"], on: bench)
        ann.client.peer.reset()
        let bob = try bench.connect("bob", MessagePackProtocol())
        _ = try bench.ask(bob, Self.publish("m1", to: "a"))
        let again = try bench.connect("", MessagePackProtocol())
        let heard = try bench.ask(again, .resume(.init(token: token)))
        #expect(heard.texts == ["m1"])
    }
}

/// Believes whoever shows a name, for a minute.
private struct MinuteAuthenticator: HubAuthenticator {
    func authenticate(_ credentials: Credentials) async -> Authentication {
        let name: String? =
            switch credentials.shown {
            case .request(let request): request.query
            case .renewal(let token, _): token
            }
        guard let name, !name.isEmpty else { return .anonymous }
        return .accepted(Identity(user: name, expiry: credentials.now + .seconds(60)))
    }
}
