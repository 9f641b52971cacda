import HubTesting
import HubWorlds
import NetPoll
import NetPollTesting
import Synchronization
import Testing
import WSFrame
import WSTransport

@testable import Hub

@Suite("Sessions of users, on the simulated network")
struct SendingTests {
    private let hello = HubMessage(Payload(text: "hello"), event: "e")

    private func heard(_ bench: LineBench, _ clients: [SimulatedClient]) -> [Bool] {
        bench.network.run(for: .milliseconds(100))
        return clients.map { $0.takeTexts().contains("msg e hello") }
    }

    @Test func `a message reaches all that are meant and nobody else`() async throws {
        let bench = try await LineBench(loops: 3)
        let clients = try ["ann/phone", "ann/desk", "bob", "eve", "", "eva"].map {
            try bench.join($0)
        }
        bench.hub.send(hello, to: Recipients(.everyone))
        #expect(heard(bench, clients) == [true, true, true, true, true, true])
        bench.hub.send(hello, to: Recipients(.everyone, exceptUsers: ["ann", "nobody"]))
        #expect(heard(bench, clients) == [false, false, true, true, true, true])
        bench.hub.send(hello, to: Recipients(.users(["ann", "eve"]), exceptUsers: ["eve"]))
        #expect(heard(bench, clients) == [true, true, false, false, false, false])
        bench.hub.send(hello, to: Recipients(.device(user: "ann", device: "desk")))
        #expect(heard(bench, clients) == [false, true, false, false, false, false])
        bench.hub.send(
            hello, to: Recipients(.device(user: "ann", device: "desk"), exceptUsers: ["ann"]))
        bench.hub.send(hello, to: Recipients(.topic("nowhere")))
        #expect(heard(bench, clients) == [false, false, false, false, false, false])
        let ids = bench.application.ids.withLock { $0 }
        bench.hub.send(hello, to: Recipients(.everyone), except: [ids[0], ids[4]])
        #expect(heard(bench, clients) == [false, true, true, true, false, true])
        bench.hub.send(hello, to: [ids[2], ids[4]])
        #expect(heard(bench, clients) == [false, false, true, false, true, false])
        for client in clients[1...2] { client.say("sub 1 a") }
        bench.network.run(for: .milliseconds(100))
        bench.hub.send(hello, to: Recipients(.topic("a"), exceptUsers: ["bob"]))
        #expect(heard(bench, clients) == [false, true, false, false, false, false])
    }

    @Test func `a user's sessions are found while they last`() async throws {
        let bench = try await LineBench()
        let clients = try (0..<3).map { _ in try bench.join("ann") }
        #expect(bench.hub.sessions(of: "ann") == bench.application.ids.withLock { $0 })
        clients[0].peer.reset()
        bench.network.run(for: .milliseconds(100))
        #expect(bench.hub.sessions(of: "ann").count == 2)
        #expect(bench.hub.sessions(of: "bob") == [])
    }

    @Test func `who is identified again stays in reach, also where a user has all its sessions`()
        async throws
    {
        let bench = try await LineBench { $0.sessionsPerUserMax = 2 }
        bench.hub.on("move") { message, session in
            try session.identify(as: "ann", device: message.payload.text)
        }
        let phone = try bench.join("ann/phone")
        let other = try bench.join("ann/desk")
        #expect(bench.ask(phone, "msg move tablet") == [])
        bench.hub.send(hello, to: Recipients(.users(["ann"])))
        #expect(heard(bench, [phone, other]) == [true, true])
        bench.hub.send(hello, to: Recipients(.device(user: "ann", device: "tablet")))
        #expect(heard(bench, [phone, other]) == [true, false])
        bench.hub.ban(user: "ann", for: .seconds(10))
        bench.network.run(for: .milliseconds(100))
        #expect([phone, other].map(\.closeCode) == [4_403, 4_403])
        bench.network.run(for: .seconds(10))
        #expect(try bench.join("ann").closeCode == nil)
    }

    /// What happens as the hub asks for the time, once each.
    private final class Hooks: Sendable {
        let next = Mutex<[@Sendable () -> Void]>([])

        func run() {
            let hook = next.withLock { $0.isEmpty ? nil : $0.removeFirst() }
            hook?()
        }
    }

    @Test func `who is banned while it is identified again stays on the device where it was`()
        async throws
    {
        let hooks = Hooks()
        let bench = try await LineBench(loops: 1) {
            let calendar = $0.calendar
            $0.calendar = {
                hooks.run()
                return calendar()
            }
        }
        let directories = bench.hub.directories
        bench.hub.on("move") { message, session in
            let ban: @Sendable () -> Void = {
                directories.bans.ban("ann", until: nil, at: Timestamp(milliseconds: 0))
            }
            // The second time that is asked for is that of the second look at the bans.
            hooks.next.withLock { $0 = [{}, ban] }
            try session.identify(as: "ann", device: message.payload.text)
        }
        let ann = try bench.join("ann/phone")
        #expect(bench.ask(ann, "msg move desk") == ["fail 0 10"])
        #expect(directories.sessions.sessions(of: "ann").map(\.device) == ["phone"])
    }

    @Test func `who subscribes does not become another user, and nothing is changed`() async throws
    {
        let bench = try await LineBench()
        bench.hub.on("become") { message, session in
            try session.identify(as: message.payload.text)
        }
        let ann = try bench.join("ann")
        _ = bench.ask(ann, "sub 1 a")
        #expect(bench.ask(ann, "msg become bob").contains("fail 0 10"))
        #expect(!bench.ask(ann, "msg become ann").contains { $0.hasPrefix("fail") })
        #expect(bench.hub.sessions(of: "bob").isEmpty)
        #expect(bench.hub.sessions(of: "ann").count == 1)
        #expect(bench.hub.existingTopic("a")?.userCount == 1)
    }

    @Test func `a user who is named twice gets one message`() async throws {
        let bench = try await LineBench()
        let ann = try bench.join("ann")
        bench.hub.send(hello, to: Recipients(.users(["ann", "bob", "ann"])))
        bench.network.run(for: .milliseconds(100))
        #expect(ann.takeTexts() == ["msg e hello"])
    }

    @Test func `sessions are found by user, device and attributes`() async throws {
        let bench = try await LineBench(loops: 2)
        for who in ["ann/phone", "ann/desk", "bob", "ann/phone", "eve"] { _ = try bench.join(who) }
        let hub = bench.hub
        let ids = bench.application.ids.withLock { $0 }
        for id in [ids[1], ids[4]] { hub.withSession(id) { $0.attributes["role"] = "speaker" } }
        hub.withSession(ids[2]) { $0.attributes["role"] = "guest" }
        #expect(hub.references(of: "ann", on: "phone").map(\.id) == [ids[0], ids[3]])
        #expect(hub.references(of: "ann", on: "tv").isEmpty)
        let speakers = try await bench.wait {
            await hub.references(withAttribute: "role", equalTo: "speaker")
        }
        #expect(Set(speakers.map(\.id)) == [ids[1], ids[4]])
        #expect(speakers.first { $0.id == ids[1] }?.device == "desk")
        let nobody = try await bench.wait {
            await hub.references(withAttribute: "rank", equalTo: "speaker")
        }
        #expect(nobody.isEmpty)
    }

    @Test func `a search goes through all places, a bounded number a turn`() async throws {
        let bench = try await LineBench(loops: 1) { $0.sessionsPerAddressMax = 2_000 }
        for _ in 0..<1_100 { _ = try bench.join("") }
        let hub = bench.hub
        let ids = bench.application.ids.withLock { $0 }
        for id in [ids[0], ids[600], ids[1_099]] {
            hub.withSession(id) { $0.attributes["role"] = "speaker" }
        }
        let speakers = try await bench.wait {
            await hub.references(withAttribute: "role", equalTo: "speaker")
        }
        #expect(speakers.count == 3)
        #expect(Set(speakers.map(\.id)) == [ids[0], ids[600], ids[1_099]])
    }

    @Test func `a user has no more sessions than one may`() async throws {
        let bench = try await LineBench { $0.sessionsPerUserMax = 2 }
        let clients = try (0..<3).map { _ in try bench.join("ann") }
        bench.network.run(for: .milliseconds(100))
        #expect(clients.map(\.closeCode) == [nil, nil, CloseCode.policyViolation.rawValue])
    }

    @Test func `who is kicked may come back, who is banned only after its time`() async throws {
        let bench = try await LineBench()
        let ann = try bench.join("ann")
        let bob = try bench.join("bob")
        bench.hub.kick(
            Recipients(.users(["ann"])), code: CloseCode(rawValue: 4_001), reason: "out")
        bench.network.run(for: .milliseconds(100))
        #expect(ann.closeCode == 4_001)
        #expect(bob.closeCode == nil)
        #expect(try bench.join("ann").closeCode == nil)
        let until = Timestamp(milliseconds: bench.network.now.nanoseconds / 1_000_000 + 60_000)
        bench.hub.ban(user: "bob", until: until)
        bench.network.run(for: .milliseconds(100))
        #expect(bob.closeCode == CloseCode.forbidden.rawValue)
        let tooSoon = try bench.join("bob")
        bench.network.run(for: .milliseconds(100))
        #expect(tooSoon.closeCode == CloseCode.policyViolation.rawValue)
        bench.network.run(for: .seconds(60))
        let later = try bench.join("bob")
        bench.network.run(for: .milliseconds(100))
        #expect(later.closeCode == nil)
        bench.hub.ban(user: "eve")
        bench.hub.unban(user: "eve")
        #expect(try bench.join("eve").closeCode == nil)
    }

    @Test func `sessions are moved from topic to topic`() async throws {
        let bench = try await LineBench()
        let ann = try bench.join("ann")
        let bob = try bench.join("bob")
        for client in [ann, bob] { _ = bench.ask(client, "sub 1 a") }
        let topic = try #require(bench.hub.topic("a"))
        let other = try #require(bench.hub.topic("b"))
        bench.hub.move(Recipients(.users(["ann", "eve"])), from: topic, to: other)
        bench.network.run(for: .milliseconds(100))
        _ = ann.takeTexts()
        topic.publish(Publication(HubMessage(text: "at a"), durability: .transient))
        other.publish(Publication(HubMessage(text: "at b"), durability: .transient))
        bench.network.run(for: .milliseconds(100))
        #expect(ann.takeTexts() == ["pub b 0 - at b"])
        #expect(bob.takeTexts().contains("pub a 0 - at a"))
    }

    @Test func `the hub asks and a client answers, or not in time`() async throws {
        let bench = try await LineBench()
        let ann = try bench.join("ann")
        let hub = bench.hub
        let id = bench.application.ids.withLock { $0[0] }
        let question = HubMessage(Payload(text: "sure?"), event: "ask")
        ann.answer = { line in
            let words = line.split(separator: " ")
            return words[0] == "req" ? "rep \(words[1]) yes" : nil
        }
        let answer = try await bench.wait { try await hub.request(question, of: id) }
        #expect(answer == Payload(text: "yes"))
        ann.answer = nil
        await #expect(throws: RequestError.timedOut) {
            try await bench.wait {
                try await hub.request(question, of: id, timeout: .seconds(3))
            }
        }
        ann.peer.reset()
        bench.network.run(for: .milliseconds(100))
        await #expect(throws: RequestError.sessionEnded) {
            try await bench.wait { try await hub.request(question, of: id) }
        }
    }
}
