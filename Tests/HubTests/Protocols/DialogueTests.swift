import Hub
import HubTesting
import HubWorlds
import NetPoll
import NetPollTesting
import Synchronization
import Testing
import WSFrame
import WSTransport

@Suite("What clients ask in their protocol, on the simulated network")
struct DialogueTests {
    private struct Move: Codable, Sendable {
        var x: Int
        var y: Int
    }

    @Test func `clients subscribe, publish, hear each other and leave`() async throws {
        let bench = try await LineBench()
        let ann = try bench.join("ann")
        let bob = try bench.join("bob")
        #expect(bench.ask(ann, "sub 1 a")[0].hasPrefix("sub a "))
        _ = bench.ask(bob, "sub 1 a")
        bench.network.run(for: .seconds(1))
        _ = (ann.takeTexts(), bob.takeTexts())
        #expect(bench.ask(ann, "pub 7 a stored - hi there").contains("published 7 1"))
        #expect(bob.takeTexts() == ["pub a 1 ann hi there"])
        #expect(bench.ask(ann, "pub 8 a volatile - psst").contains("published 8 0"))
        #expect(bob.takeTexts() == ["pub a 0 ann psst"])
        #expect(bench.ask(bob, "unsub 2 a").contains("unsub a"))
        _ = bench.ask(ann, "pub 9 a stored - gone?")
        #expect(!bob.takeTexts().contains("pub a 2 ann gone?"))
        #expect(bench.ask(bob, "ping 4") == ["pong 4"])
    }

    @Test func `clients are told the longest time between two pings`() async throws {
        let bench = try await LineBench {
            $0.heartbeat = Heartbeat(
                interval: .seconds(10), timeout: .seconds(30), intervalMax: .seconds(60))
        }
        let ann = try bench.connect("ann")
        bench.network.run(for: .milliseconds(100))
        #expect(try ann.take().welcomes.map(\.heartbeat) == [.seconds(60)])
    }

    @Test func `one that comes back gets exactly what it missed`() async throws {
        let bench = try await LineBench { $0.topic.historyMessagesMax = 5 }
        let ann = try bench.join("ann")
        let words = bench.ask(ann, "sub 1 a")[0].split(separator: " ").map(String.init)
        for number in 1...4 { _ = bench.ask(ann, "pub \(number) a stored - m\(number)") }
        let bob = try bench.join("bob")
        let texts = bench.ask(bob, "sub 1 a \(words[2]) 2")
        #expect(
            texts.prefix(3)
                == ["sub a \(words[2]) 2 true", "pub a 3 ann m3", "pub a 4 ann m4"])
        for number in 5...9 { _ = bench.ask(ann, "pub \(number) a stored - m\(number)") }
        let eve = try bench.join("eve")
        let late = bench.ask(eve, "sub 1 a \(words[2]) 2")
        #expect(late.first == "sub a \(words[2]) 4 false")
        #expect(late.dropFirst().filter { $0.hasPrefix("pub") }.count == 5)
        let stranger = bench.ask(try bench.join("zoe"), "sub 1 a zzz 2")
        #expect(stranger.first == "sub a \(words[2]) 4 false")
        let pages = bench.ask(eve, "hist 5 a \(words[2]) 5 2").filter { $0.hasPrefix("hist") }
        #expect(pages == ["hist a true true m6,m7"])
        #expect(bench.ask(eve, "hist 6 a x x 0") == ["fail 6 1"])
    }

    @Test func `what a client may not do is refused, at once or after asking`() async throws {
        let bench = try await LineBench()
        let ann = try bench.join("ann")
        #expect(bench.ask(ann, "sub 3 secret") == ["fail 3 3"])
        #expect(bench.ask(ann, "sub 4 denied") == ["fail 4 3"])
        #expect(bench.ask(ann, "sub 5 asked")[0].hasPrefix("sub asked "))
        bench.network.run(for: .seconds(1))
        _ = ann.takeTexts()
        #expect(bench.ask(ann, "nonsense") == ["fail 0 1"])
        #expect(bench.ask(ann, "req 6 nobody hm") == ["fail 6 2"])
        #expect(bench.ask(ann, "bad") == ["fail 0 1"])
        #expect(ann.closeCode == CloseCode.protocolError.rawValue)
    }

    @Test
    func `who leaves, or comes again, while it is asked whether it may subscribe has done so`()
        async throws
    {
        let bench = try await LineBench(loops: 1)
        let ann = try bench.join("ann")
        ann.say("sub 1 asked")
        ann.say("unsub 2 asked")
        bench.network.run(for: .seconds(1))
        #expect(ann.takeTexts().map { String($0.prefix(5)) } == ["sub a", "unsub"])
        #expect(bench.ask(ann, "pub 3 asked stored - hi") == ["published 3 1"])
        for line in ["sub 4 asked", "unsub 5 asked", "sub 6 asked", "unsub 7 denied"] {
            ann.say(line)
        }
        bench.network.run(for: .seconds(1))
        let texts = ann.takeTexts().filter { !$0.hasPrefix("who ") }
        #expect(texts[0] == "unsub denied")
        #expect(texts[1...].map { String($0.prefix(5)) } == ["sub a", "unsub", "sub a"])
        #expect(bench.ask(ann, "pub 8 asked stored - ho").contains("pub asked 2 ann ho"))
    }

    @Test func `what waits for an answer about a topic is bounded`() async throws {
        let bench = try await LineBench(loops: 1) {
            $0.subscriptionsPerSessionMax = 1
            $0.tasksPerSessionMax = 1
        }
        let ann = try bench.join("ann")
        for number in 1...4 { ann.say("sub \(number) asked") }
        // An end is never refused; one that nothing follows is enough.
        for number in 5...6 { ann.say("unsub \(number) asked") }
        bench.network.run(for: .seconds(1))
        let texts = ann.takeTexts().filter { !$0.hasPrefix("who ") }
        #expect(texts.prefix(2) == ["fail 4 \(FailureCode.overloaded.rawValue)", "unsub asked"])
        #expect(
            texts.dropFirst(2).map { String($0.prefix(5)) } == ["sub a", "sub a", "sub a", "unsub"])
    }

    @Test func `a client is answered as fast as it reads, whatever it asks at once`() async throws {
        let bench = try await LineBench(loops: 1)
        let ann = try bench.join("ann")
        let topic = try #require(bench.hub.topic("a"))
        let text = String(repeating: "x", count: 1_200)
        for _ in 0..<60 { topic.publish(Publication(HubMessage(text: text))) }
        for number in 1...100 { ann.say("hist \(number) a x x 60") }
        bench.network.run(for: .seconds(5))
        #expect(ann.closeCode == nil)
        #expect(ann.takeTexts().filter { $0.hasPrefix("hist a ") }.count == 100)
        // One that does not read keeps no more waiting than it may ask for.
        ann.peer.stall()
        for number in 1...150 { ann.say("hist \(number) a x x 60") }
        bench.network.run(for: .seconds(5))
        ann.peer.resume()
        bench.network.run(for: .seconds(5))
        let texts = ann.takeTexts()
        #expect(texts.filter { $0.hasPrefix("hist a ") }.count < 125)
        #expect(texts.filter { $0.hasSuffix(" 7") }.count > 25)
        #expect(texts.count == 150)
    }

    @Test func `what is published while a client is answered reaches it, though nothing follows`()
        async throws
    {
        let bench = try await LineBench(loops: 1)
        // What is sent to it never waits.
        let ann = try bench.join("ann", windowBytes: 16 << 20)
        ann.say("sub 0 b")
        // The last that is said in the topic is that it is there.
        bench.network.run(for: .seconds(1))
        let topic = try #require(bench.hub.topic("a"))
        let text = String(repeating: "x", count: 1_200)
        for _ in 0..<60 { topic.publish(Publication(HubMessage(text: text))) }
        for number in 1...40 { ann.say("hist \(number) a x x 60") }
        ann.say("pub 41 b transient - now")
        bench.network.run(for: .seconds(1))
        let texts = ann.takeTexts()
        #expect(texts.filter { $0.hasPrefix("hist a ") }.count == 40)
        #expect(texts.contains("pub b 0 ann now"))
    }

    @Test func `one client has only so many topics made, and there is another time`() async throws {
        let bench = try await LineBench(loops: 1) {
            $0.subscriptionsPerSessionMax = 1
            $0.newTopicsPerSessionMax = 3
        }
        let ann = try bench.join("ann")
        for topic in ["t1", "t2"] {
            #expect(bench.ask(ann, "sub 1 \(topic)").first?.hasPrefix("sub ") ?? false)
            _ = bench.ask(ann, "unsub 2 \(topic)")
        }
        #expect(bench.ask(ann, "pub 3 t3 stored - x") == ["published 3 1"])
        #expect(bench.ask(ann, "sub 4 t4") == ["fail 4 6"])
        #expect(bench.ask(ann, "pub 5 t5 stored - x") == ["fail 5 6"])
        #expect(bench.hub.existingTopic("t4") == nil)
        // What there is it may have, and others may have new ones.
        #expect(bench.ask(ann, "pub 6 t1 stored - x") == ["published 6 1"])
        #expect(bench.ask(try bench.join("bob"), "pub 7 t4 stored - x") == ["published 7 1"])
        bench.network.run(for: .seconds(60))
        #expect(bench.ask(ann, "pub 8 t6 stored - x") == ["published 8 1"])
    }

    @Test func `where there is no room for another topic a client is told to come again`()
        async throws
    {
        let bench = try await LineBench(loops: 1) { $0.topicsMax = 1 }
        let ann = try bench.connect("ann")
        let id = RequestID(rawValue: 1)
        _ = try bench.ask(ann, .subscribe(id, topic: "a", after: nil))
        let heard = try bench.ask(ann, .subscribe(id, topic: "b", after: nil))
        #expect(heard.failures == [.overloaded])
        #expect(
            heard.contains { envelope in
                guard case .failure(let failure) = envelope else { return false }
                return failure.retryAfter.map { $0 >= .seconds(5) } ?? false
            })
    }

    @Test func `events reach their handlers with their values`() async throws {
        let bench = try await LineBench()
        let moves = Mutex<[Int]>([])
        bench.hub.on("move", as: Move.self) { move, _ in moves.withLock { $0 += [move.x, move.y] } }
        bench.hub.on("later", as: Move.self) { move, session in
            session.send(HubMessage(Payload(text: "\(move.x)"), event: "done"))
        }
        bench.hub.onRequest("add", as: Move.self) { move, _ in move.x + move.y }
        bench.hub.onRequest("add later", as: Move.self) { move, _ in move.x }
        bench.hub.onRequest(
            "slow", as: Move.self,
            task: { move, session in
                #expect(session.user == "ann")
                return move.x * move.y
            })
        let ann = try bench.join("ann")
        #expect(bench.ask(ann, #"msg move {"x":3,"y":4}"#) == [])
        #expect(moves.withLock { $0 } == [3, 4])
        #expect(bench.ask(ann, #"msg move {"x":3}"#) == ["fail 0 1"])
        #expect(bench.ask(ann, #"req 9 add {"x":3,"y":4}"#) == ["rep 9 7"])
        #expect(bench.ask(ann, #"req 10 slow {"x":3,"y":4}"#) == ["rep 10 12"])
        #expect(bench.ask(ann, #"msg later {"x":3,"y":4}"#) == ["msg done 3"])
        #expect(bench.ask(ann, "msg other hi") == [])
        #expect(bench.application.heard.withLock { $0 } == ["hi"])
    }

    @Test func `a handler says why it does not do something`() async throws {
        let bench = try await LineBench()
        bench.hub.onRequest("buy", as: Move.self) { move, session -> Int in
            #expect(session.handler is LineHandler)
            throw EventFailure(FailureCode(rawValue: 1_001), "sold out", retryAfter: .seconds(2))
        }
        let ann = try bench.connect("ann")
        let buy = HubMessage(try Payload(json: Move(x: 1, y: 2)), event: "buy")
        let heard = try bench.ask(ann, .request(RequestID(rawValue: 7), buy))
        #expect(
            heard.contains(
                .failure(
                    .init(
                        request: RequestID(rawValue: 7), code: FailureCode(rawValue: 1_001),
                        text: "sold out", retryAfter: .seconds(2)))))
        let refused = try bench.ask(
            ann, .subscribe(RequestID(rawValue: 8), topic: "later", after: nil))
        #expect(refused.failures == [.rateLimited])
    }

    @Test func `a session has no more tasks than it may`() async throws {
        let bench = try await LineBench { $0.tasksPerSessionMax = 2 }
        let waiting = Mutex<[CheckedContinuation<Void, Never>]>([])
        bench.hub.onRequest(
            "wait", as: Move.self,
            task: { move, _ in
                await withCheckedContinuation { continuation in
                    waiting.withLock { $0.append(continuation) }
                }
                return move.x
            })
        let ann = try bench.join("ann")
        for id in 1...3 { ann.say(#"req \#(id) wait {"x":\#(id),"y":0}"#) }
        bench.network.run(for: .seconds(1))
        #expect(ann.takeTexts() == ["fail 3 7"])
        for continuation in waiting.withLock({ $0 }) { continuation.resume() }
        bench.network.run(for: .seconds(1))
        #expect(Set(ann.takeTexts()) == ["rep 1 1", "rep 2 2"])
    }

    @Test func `a publication that is tried again is published once`() async throws {
        let bench = try await LineBench()
        let ann = try bench.join("ann")
        _ = bench.ask(ann, "sub 1 a")
        let texts =
            bench.ask(ann, "pub 7 a stored k1 hi") + bench.ask(ann, "pub 8 a stored k1 hi")
        #expect(texts.filter { $0.hasPrefix("published") } == ["published 7 1", "published 8 1"])
        #expect(texts.filter { $0.hasPrefix("pub ") } == ["pub a 1 ann hi"])
        bench.network.run(for: .seconds(301))
        #expect(bench.ask(ann, "pub 9 a stored k1 hi").contains("published 9 2"))
    }

    @Test func `layers are around connecting, messages and publishing, the first outermost`()
        async throws
    {
        let bench = try await LineBench {
            $0.middleware = [Layer(name: "1"), Layer(name: "2")]
        }
        let ann = try bench.join("ann")
        _ = bench.ask(ann, "sub 1 a")
        #expect(bench.ask(ann, "pub 7 a stored - hi").contains("pub a 1 ann hi21"))
        _ = bench.ask(ann, "msg e hi")
        #expect(bench.application.heard.withLock { $0 } == ["hi21"])
        #expect(bench.ask(ann, "pub 8 a stored - no") == ["fail 8 7"])
        let peer = try #require(bench.network.connect(to: bench.address))
        let client = SimulatedClient(peer: peer)
        client.requestUpgrade("/ws?refused", subprotocol: "lines.1")
        bench.network.run(for: .milliseconds(100))
        #expect(!client.isUpgraded)
    }

    @Test func `large topics tell how many are there, not who`() async throws {
        let bench = try await LineBench { $0.topic.presence = .count }
        let ann = try bench.join("ann")
        _ = bench.ask(ann, "sub 1 a")
        for name in ["bob", "eve"] { try bench.join(name).say("sub 1 a") }
        bench.network.run(for: .seconds(1))
        #expect(ann.takeTexts().last == "who a 3 + -")
        #expect(bench.ask(ann, "who 2 a") == ["members a 3 "])
    }

    @Test func `each topic may have bounds of its own`() async throws {
        let bench = try await LineBench {
            let usual = $0.topic
            $0.topicLimits = { name in
                var limits = usual
                switch name {
                case "counted": limits.presence = .count
                case "sampled": limits.presence = .sampled(1)
                case "brief": limits.historyMessagesMax = 1
                default: break
                }
                return limits
            }
        }
        let topics = ["usual", "counted", "sampled", "brief"]
        for name in ["ann", "bob"] {
            let client = try bench.join(name)
            for topic in topics { _ = bench.ask(client, "sub 1 \(topic)") }
        }
        let eve = try bench.join("eve")
        let members = topics.dropLast().flatMap { bench.ask(eve, "who 2 \($0)") }
        #expect(
            members == ["members usual 2 ann,bob", "members counted 2 ", "members sampled 2 ann"])
        for topic in topics {
            for text in ["1", "2"] { _ = bench.ask(eve, "pub 3 \(topic) stored - \(text)") }
        }
        let kept = topics.map {
            bench.hub.topic($0)?.history(after: nil, limit: .init()).messages.count
        }
        #expect(kept == [2, 2, 2, 1])
    }
}

/// Marks what passes, and stops what says no.
private struct Layer: HubMiddleware {
    let name: String

    func connect(
        _ request: HTTPRequest, from address: SocketAddress,
        next: (HTTPRequest) -> Admission
    ) -> Admission {
        request.query == "refused"
            ? .refuse(HTTPResponse(status: .forbidden, text: "no\n")) : next(request)
    }

    func message(_ message: HubMessage, from session: Session, next: (HubMessage) -> Void) {
        next(HubMessage(text: mark(message.payload.text)))
    }

    func publish(
        _ publication: Publication, to topic: Topic, next: (Publication) -> PublishOutcome
    ) -> PublishOutcome {
        guard var message = publication.message else { return next(publication) }
        if message.payload.text == "no" { return .overloaded }
        message.payload = Payload(text: mark(message.payload.text))
        return next(Publication(message, durability: publication.durability))
    }

    /// The innermost layer marks first, so that the order shows.
    private func mark(_ text: String) -> String {
        name == "1" ? text + "1" : String(text.dropLast()) + "21"
    }
}
