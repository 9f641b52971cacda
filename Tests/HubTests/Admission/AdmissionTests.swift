import Hub
import HubTesting
import HubWorlds
import NetPoll
import NetPollTesting
import Synchronization
import Testing
import WSFrame
import WSTransport

@Suite("Admission, on the simulated network")
struct AdmissionTests {
    @Test func `a client is who its credentials say, from the beginning`() async throws {
        let bench = try await DoorBench()
        let ann = try bench.connect("/ws?token=ann")
        #expect(ann.isUpgraded)
        #expect(bench.ask(ann, "msg who -") == ["msg - ann/phone"])
        #expect(bench.hub.sessions(of: "ann").count == 1)
    }

    @Test(arguments: [
        ("/ws", "", "101"), ("/ws?token=ann", "", "101"), ("/ws?token=nobody", "", "401"),
        ("/ws", "Authorization: bearer ann\r\n", "101"),
        ("/ws", "Authorization: Bearer nobody\r\n", "401"),
        ("/ws", "Cookie: a=b; token=\"ann\"\r\n", "101"), ("/ws?token=banned", "", "403"),
        ("/ws?token=old", "", "401"), ("/ws?token=crowd", "", "101"),
    ])
    func `credentials are found where they may stand`(
        target: String, field: String, status: String
    ) async throws {
        let bench = try await DoorBench()
        bench.hub.ban(user: "banned")
        let answer = try bench.answer(to: target, field)
        #expect(answer.hasPrefix("HTTP/1.1 \(status) "))
    }

    @Test func `a client that shows nothing may be nobody`() async throws {
        let bench = try await DoorBench()
        let client = try bench.connect("/ws")
        #expect(bench.ask(client, "msg who -") == ["msg - -/-"])
    }

    @Test func `what comes while the credentials are checked is not lost`() async throws {
        let bench = try await DoorBench()
        bench.authenticator.latch.hold()
        let peer = try #require(bench.network.connect(to: bench.address))
        let client = SimulatedClient(peer: peer)
        client.requestUpgrade("/ws?token=ann", subprotocol: "lines.1")
        client.say("msg who -")
        client.say("msg who -")
        bench.network.run(for: .seconds(1))
        #expect(!client.isUpgraded)
        bench.authenticator.latch.release()
        bench.network.run(for: .seconds(1))
        #expect(client.texts == ["welcome", "msg - ann/phone", "msg - ann/phone"])
    }

    @Test func `who goes while its credentials are checked gets no session`() async throws {
        let bench = try await DoorBench()
        bench.authenticator.latch.hold()
        let peer = try #require(bench.network.connect(to: bench.address))
        let client = SimulatedClient(peer: peer)
        client.requestUpgrade("/ws?token=ann", subprotocol: "lines.1")
        bench.network.run(for: .seconds(1))
        peer.reset()
        bench.network.run(for: .seconds(1))
        bench.authenticator.latch.release()
        bench.network.run(for: .seconds(1))
        #expect(bench.hub.sessionCount == 0)
        #expect(bench.hub.sessions(of: "ann").isEmpty)
    }

    @Test func `who is being checked when the hub begins to drain gets no session`() async throws {
        let bench = try await DoorBench()
        let ann = try bench.connect("/ws?token=ann")
        ann.peer.stall()
        let long = PreparedMessage(text: String(repeating: "x", count: 200_000))
        bench.hub.send(long, to: bench.hub.sessions(of: "ann")[0])
        bench.authenticator.latch.hold()
        let late = SimulatedClient(peer: try #require(bench.network.connect(to: bench.address)))
        late.requestUpgrade("/ws?token=bob", subprotocol: "lines.1")
        bench.network.run(for: .seconds(1))
        bench.hub.beginDrain(deadline: .seconds(60)) {}
        bench.network.run(for: .milliseconds(100))
        bench.authenticator.latch.release()
        bench.network.run(for: .seconds(1))
        #expect(ann.closeCode == nil, "the hub still waits for it")
        #expect(!late.isUpgraded && bench.hub.sessionCount == 1)
        let answer = String(decoding: late.peer.received, as: UTF8.self)
        #expect(answer.hasPrefix("HTTP/1.1 503 "))
    }

    @Test func `an authenticator that does not answer is not waited for`() async throws {
        let bench = try await DoorBench { $0.handshakeTimeout = .seconds(3) }
        bench.authenticator.latch.hold()
        let peer = try #require(bench.network.connect(to: bench.address))
        SimulatedClient(peer: peer).requestUpgrade("/ws?token=ann", subprotocol: "lines.1")
        peer.onReceive = nil
        bench.network.run(for: .seconds(4))
        #expect(String(decoding: peer.received, as: UTF8.self).hasPrefix("HTTP/1.1 503 "))
        bench.authenticator.latch.release()
    }

    @Test func `a refusal may come as a close code, with the time to come again`() async throws {
        let bench = try await DoorBench {
            $0.refusals = .closeCode
            $0.sessionsPerUserMax = 1
        }
        #expect(try bench.connect("/ws?token=nobody").closeCode == 4_401)
        #expect(try bench.connect("/ws?token=old").closeCode == 4_419)
        let first = try bench.connect("/ws?token=ann")
        #expect(first.closeCode == nil)
        #expect(try bench.connect("/ws?token=ann").closeCode == 4_429)
    }

    @Test func `refusals by a close code take a part of an address's places, and give them back`()
        async throws
    {
        let proxies = TrustedProxies([try AddressRange("127.0.0.1")], source: .forwardedFor)
        let bench = try await DoorBench {
            $0.refusals = .closeCode
            $0.sessionsPerAddressMax = 16
            $0.proxies = proxies
        }
        let field = "X-Forwarded-For: 203.0.113.9\r\n"
        for status in ["101", "101", "401", "401"] {
            let answer = try bench.answer(to: "/ws?token=nobody", field)
            #expect(answer.hasPrefix("HTTP/1.1 \(status) "))
        }
        let other = "X-Forwarded-For: 203.0.113.10\r\n"
        #expect(try bench.answer(to: "/ws?token=nobody", other).hasPrefix("HTTP/1.1 101 "))
        #expect(bench.hub.sessionCount == 3)
        // None of them has answered the close.
        bench.network.run(for: .seconds(10))
        #expect(bench.hub.sessionCount == 0)
        #expect(try bench.answer(to: "/ws?token=nobody", field).hasPrefix("HTTP/1.1 101 "))
    }

    @Test func `refusals by a close code take a part of all connections only`() async throws {
        let bench = try await DoorBench {
            $0.refusals = .closeCode
            $0.connectionsMax = 16
        }
        for status in ["101", "101", "401"] {
            let answer = try bench.answer(to: "/ws?token=nobody")
            #expect(answer.hasPrefix("HTTP/1.1 \(status) "))
        }
    }

    @Test func `an address has so many requests on their way`() async throws {
        let bench = try await DoorBench {
            $0.handshakesPerAddressMax = 2
        }
        let host = try SocketAddress(host: "203.0.113.7", port: 0)
        let peers = try (0..<3).map { _ in
            try #require(bench.network.connect(to: bench.address, from: host))
        }
        bench.network.run(for: .milliseconds(100))
        let answers = peers.map { String(decoding: $0.received, as: UTF8.self).prefix(13) }
        #expect(answers == ["", "", "HTTP/1.1 429 "])
    }

    @Test func `those who are sent away are not told to come again together`() async throws {
        let bench = try await DoorBench {
            $0.refusals = .closeCode
            $0.sessionsPerUserMax = 1
        }
        _ = try bench.connect("/ws?token=ann")
        var delays: Set<Duration> = []
        for _ in 0..<5 {
            let refused = try bench.connect("/ws?token=ann")
            delays.insert(try #require(RetryHint(closeReason: refused.closeReason)).delay)
        }
        #expect(delays.count > 1)
        #expect(delays.allSatisfy { $0 >= .seconds(5) && $0 <= .milliseconds(7_500) })
    }

    @Test func `a session ends with its credentials, after the application was told`()
        async throws
    {
        let bench = try await DoorBench { $0.credentialsNotice = .seconds(10) }
        let ann = try bench.connect("/ws?token=brief")
        bench.network.run(for: .seconds(49))
        #expect(ann.takeTexts() == [])
        bench.network.run(for: .seconds(2))
        #expect(ann.takeTexts() == ["msg - expires"])
        bench.network.run(for: .seconds(8))
        #expect(ann.closeCode == nil)
        bench.network.run(for: .seconds(2))
        #expect(ann.closeCode == 4_419)
        #expect(bench.hub.sessions(of: "brief").isEmpty)
    }

    @Test func `a client that renews its credentials stays`() async throws {
        let bench = try await DoorBench()
        let ann = try bench.connect("/ws?token=brief")
        bench.network.run(for: .seconds(40))
        _ = ann.takeTexts()
        #expect(bench.ask(ann, "refresh 7 ann") == ["fail 7 11"])
        #expect(bench.ask(ann, "refresh 8 nobody") == ["fail 8 11"])
        #expect(bench.ask(ann, "refresh 9 brief") == ["rep 9 "])
        bench.network.run(for: .seconds(45))
        #expect(ann.closeCode == nil)
        bench.network.run(for: .seconds(20))
        #expect(ann.closeCode == 4_419)
    }

    @Test func `the application may extend a session`() async throws {
        let bench = try await DoorBench()
        bench.application.extends.store(true, ordering: .relaxed)
        let ann = try bench.connect("/ws?token=brief")
        bench.network.run(for: .seconds(300))
        #expect(ann.closeCode == nil)
    }

    @Test func `topics that the credentials name need no further permission`() async throws {
        let bench = try await DoorBench()
        let ann = try bench.connect("/ws?token=ann")
        #expect(bench.ask(ann, "sub 1 rooms/kitchen")[0].hasPrefix("sub rooms/kitchen "))
        #expect(bench.ask(ann, "sub 2 other") == ["fail 2 3"])
        bench.network.run(for: .seconds(1))
        _ = ann.takeTexts()
        #expect(bench.ask(ann, "who 3 rooms/kitchen") == ["members rooms/kitchen 1 ann"])
        #expect(bench.ask(ann, "pub 4 rooms/kitchen stored - x") == ["fail 4 3"])
    }

    @Test func `what renewed credentials do not name ends, unless the application allows it`()
        async throws
    {
        let bench = try await DoorBench()
        let ann = try bench.connect("/ws?token=ann")
        let rooms = ["asked", "granted", "hall", "kitchen", "open"].map { "rooms/\($0)" }
        for room in rooms {
            #expect(bench.ask(ann, "sub 1 \(room)").contains { $0.hasPrefix("sub ") })
        }
        let news = try #require(bench.hub.topic("news"))
        bench.hub.withSession(try #require(bench.hub.sessions(of: "ann").first)) { session in
            do { try session.follow(news) } catch { Issue.record(error) }
        }
        bench.network.run(for: .seconds(1))
        _ = ann.takeTexts()
        let told = bench.ask(ann, "refresh 9 ann-hall")
        #expect(Set(told) == ["rep 9 ", "unsub rooms/asked", "unsub rooms/kitchen"])
        for name in rooms + ["news"] {
            bench.hub.topic(name)?.publish(
                Publication(HubMessage(text: "x"), durability: .transient))
        }
        bench.network.run(for: .milliseconds(100))
        let heard = ann.takeTexts().filter { $0.hasPrefix("pub ") }.map {
            $0.split(separator: " ")[1]
        }
        #expect(Set(heard) == ["news", "rooms/granted", "rooms/hall", "rooms/open"])
        #expect(bench.ask(ann, "sub 2 rooms/kitchen") == ["fail 2 3"])
    }

    @Test func `who may no longer subscribe when a topic is read does not`() async throws {
        let store = SlowStore()
        let bench = try await DoorBench { $0.store = store }
        let ann = try bench.connect("/ws?token=ann")
        store.hold()
        #expect(bench.ask(ann, "sub 1 rooms/kitchen") == [])
        #expect(bench.ask(ann, "refresh 2 ann-hall") == ["rep 2 "])
        store.release()
        bench.network.run(for: .milliseconds(100))
        #expect(ann.takeTexts() == ["fail 1 3"])
    }

    @Test func `a storm is told when to come again, and resumes go before logins`() async throws {
        let bench = try await DoorBench {
            var rate = HandshakeRate()
            rate.perSecond = 1
            rate.burst = 4
            rate.reservedForResumes = 2
            $0.handshakeRate = rate
            $0.isResume = { $0.queryValue("resume") == "proved" }
        }
        for (target, status) in [
            ("/ws?token=ann", "101"), ("/ws?token=ann", "101"), ("/ws?token=ann", "503"),
            ("/ws?token=ann&resume=proved", "101"), ("/ws?token=ann&resume=no", "503"),
            ("/ws?token=ann&resume=proved", "101"), ("/ws?token=ann&resume=proved", "503"),
        ] {
            let answer = try bench.answer(to: target)
            #expect(answer.hasPrefix("HTTP/1.1 \(status) "))
            #expect(answer.contains("\r\nRetry-After: ") == (status == "503"))
        }
    }

    @Test func `a client that sends too fast is told, and closed where it goes on`() async throws {
        let bench = try await DoorBench {
            var rate = SessionRate()
            rate.messagesPerSecond = 1
            rate.messagesBurst = 2
            $0.sessionRate = rate
        }
        let ann = try bench.connect("/ws?token=ann")
        for _ in 0..<3 { ann.say("msg who -") }
        bench.network.run(for: .milliseconds(100))
        #expect(ann.takeTexts() == ["msg - ann/phone", "msg - ann/phone", "fail 0 6"])
        for _ in 0..<3 { ann.say("msg who -") }
        bench.network.run(for: .milliseconds(100))
        #expect(ann.closeCode == 4_429)
    }

    @Test func `what is asked too fast fails by its own mark`() async throws {
        let bench = try await DoorBench {
            var rate = SessionRate()
            rate.messagesPerSecond = 1
            rate.messagesBurst = 2
            $0.sessionRate = rate
        }
        let ann = try bench.connect("/ws?token=ann")
        for id in 1...3 { ann.say("ping \(id)") }
        bench.network.run(for: .milliseconds(100))
        #expect(ann.takeTexts() == ["pong 1", "pong 2", "fail 3 6"])
        ann.say("nonsense")
        bench.network.run(for: .milliseconds(100))
        #expect(ann.takeTexts() == ["fail 0 6"])
    }

    @Test(arguments: [
        ("retry-after=1500;too many", 1_500), ("retry-after=0;", 0), ("retry-after=7", 7),
    ])
    func `a hint is read as it was written`(text: String, milliseconds: Int) {
        #expect(RetryHint(closeReason: text)?.delay == .milliseconds(milliseconds))
    }

    @Test func `a hint leaves out the words that do not fit`() {
        let reason = RetryHint(.seconds(2)).closeReason(String(repeating: "é", count: 100))
        #expect(reason.utf8.count <= 123)
        #expect(RetryHint(closeReason: reason)?.delay == .seconds(2))
        #expect(RetryHint(closeReason: "too many") == nil)
    }
}
