import Hub
import HubTesting
import HubTokens
import NetPoll
import NetPollTesting
import Testing
import WSFrame

@testable import ChatServer

@Suite("The chat, on the simulated network")
struct ChatTests {
    /// A chat server and its clients.
    private final class Bench {
        let world: SimulatedHub
        private var lastID: UInt32 = 0

        init(
            store: any MessageStore = MemoryMessageStore(), key: ResumeKey = .random()
        ) async throws {
            let chat = Chat()
            world = try await SimulatedHub(
                chat,
                configuration: chat.configuration(connectionsMax: 100, store: store, key: key),
                loops: 2)
            chat.attach(to: world.hub)
        }

        /// A client that nobody knows yet.
        func connect() throws -> SimulatedClient {
            let client = try #require(world.connect(subprotocol: JSONProtocol.name))
            _ = client.takeTexts()
            return client
        }

        /// A client that is known and in `rooms`.
        func enter(
            _ name: String, _ rooms: String..., device: String = "desk"
        ) throws -> SimulatedClient {
            let client = try connect()
            _ = try hello(client, name, device: device)
            for room in rooms { _ = try ask(client) { .subscribe($0, topic: room, after: nil) } }
            world.run(for: .seconds(1))
            _ = client.takeTexts()
            return client
        }

        func hello(
            _ client: SimulatedClient, _ name: String, device: String = "desk"
        ) throws -> [ServerEnvelope] {
            let json = #"{"version":1,"name":"\#(name)","device":"\#(device)"}"#
            return try ask(client) {
                .request($0, HubMessage(Payload(Array(json.utf8), format: .json), event: "hello"))
            }
        }

        func say(
            _ client: SimulatedClient, _ text: String, in room: String, ref: String = "r"
        ) throws -> [ServerEnvelope] {
            let json = #"{"text":"\#(text)","ref":"\#(ref)"}"#
            let message = HubMessage(Payload(Array(json.utf8), format: .json), event: "say")
            return try ask(client) { .publish(.init(request: $0, topic: room, message: message)) }
        }

        /// Says something and returns what comes back soon.
        func ask(
            _ client: SimulatedClient, _ envelope: (RequestID) -> ClientEnvelope
        ) throws -> [ServerEnvelope] {
            lastID += 1
            let (bytes, _) = JSONProtocol().encode(envelope(RequestID(rawValue: lastID)))
            client.send(bytes, .text)
            world.run(for: .milliseconds(20))
            return try take(client)
        }

        func take(_ client: SimulatedClient) throws -> [ServerEnvelope] {
            try client.takeTexts().map {
                try JSONProtocol().decodeAnswer(Array($0.utf8).span.bytes, kind: .text)
            }
        }
    }

    private func failures(_ envelopes: [ServerEnvelope]) -> [UInt16] {
        envelopes.compactMap {
            if case .failure(let failure) = $0 { failure.code.rawValue } else { nil }
        }
    }

    private func messages(_ envelopes: [ServerEnvelope]) -> [HubMessage] {
        envelopes.compactMap {
            if case .publication(_, let message, _) = $0 { message } else { nil }
        }
    }

    private struct Said: Decodable {
        var text: String
        var ref: String?
        var time: Int64
    }

    @Test func `what is said is heard by all in the room, with its time and sender`() async throws {
        let bench = try await Bench()
        let ada = try bench.enter("Ada", "a")
        let bob = try bench.enter("Bob", "a")
        let eve = try bench.enter("Eve", "b")
        let answers = try bench.say(ada, "hi", in: "a", ref: "r1")
        #expect(answers.contains { if case .published = $0 { true } else { false } })
        let heard = messages(try bench.take(bob))
        #expect(heard == messages(answers))
        #expect(heard.first?.sender == "Ada")
        let said = try #require(try heard.first?.payload.decoded(as: Said.self))
        #expect(said.text == "hi" && said.ref == "r1" && said.time > 0)
        #expect(messages(try bench.take(eve)).isEmpty)
    }

    @Test func `nothing is done before hello, which is said once`() async throws {
        let bench = try await Bench()
        let client = try bench.connect()
        #expect(
            failures(try bench.ask(client) { .subscribe($0, topic: "a", after: nil) }) == [1_006])
        #expect(failures(try bench.hello(client, " Ada")) == [1_001])
        #expect(failures(try bench.hello(client, "Ada")) == [])
        #expect(failures(try bench.hello(client, "Ada")) == [1_007])
        #expect(bench.world.hub.sessions(of: "Ada").count == 1)
    }

    @Test func `one that says no hello is closed after ten seconds`() async throws {
        let bench = try await Bench()
        let silent = try bench.connect()
        let ada = try bench.enter("Ada")
        bench.world.run(for: .seconds(11))
        // Not one that says to stay away: whoever was slow may come again.
        #expect(silent.closeCode == CloseCode.tryAgainLater.rawValue)
        #expect(ada.closeCode == nil)
    }

    @Test func `rooms take what the chat knows, from those who are in them`() async throws {
        let bench = try await Bench()
        let ada = try bench.enter("Ada", "a")
        #expect(failures(try bench.say(ada, "hi", in: "b")) == [1_005])
        #expect(failures(try bench.say(ada, " ", in: "a")) == [1_003])
        let long = String(repeating: "r", count: 41)
        #expect(failures(try bench.say(ada, "hi", in: "a", ref: long)) == [1_004])
        let raw = HubMessage(text: "hi")
        #expect(
            failures(
                try bench.ask(ada) { .publish(.init(request: $0, topic: "a", message: raw)) })
                == [FailureCode.unsupported.rawValue])
        let broken = HubMessage(Payload(Array("[]".utf8), format: .json), event: "say")
        #expect(
            failures(
                try bench.ask(ada) { .publish(.init(request: $0, topic: "a", message: broken)) })
                == [FailureCode.malformed.rawValue])
        #expect(
            failures(try bench.ask(ada) { .subscribe($0, topic: "a b", after: nil) }) == [1_002])
    }

    @Test func `typing is told and not kept`() async throws {
        let bench = try await Bench()
        let ada = try bench.enter("Ada", "a")
        let bob = try bench.enter("Bob", "a")
        let typing = HubMessage(
            Payload(Array(#"{"typing":true}"#.utf8), format: .json), event: "typing")
        _ = try bench.ask(ada) { _ in
            .publish(.init(topic: "a", message: typing, durability: .volatile))
        }
        #expect(messages(try bench.take(bob)).map(\.event) == ["typing"])
        #expect(
            failures(
                try bench.ask(ada) { .publish(.init(request: $0, topic: "a", message: typing)) })
                == [FailureCode.unsupported.rawValue])
        let page = bench.world.hub.topic("a")?.history(after: nil, limit: .init())
        #expect(page?.messages.isEmpty ?? false)
    }

    @Test(arguments: [Payload.Format.json, .text])
    func `of typing nothing is passed on but whether`(format: Payload.Format) async throws {
        let bench = try await Bench()
        let ada = try bench.enter("Ada", "a")
        let bob = try bench.enter("Bob", "a")
        let more = String(repeating: "x", count: 20_000)
        let payload = Payload(Array(#"{"typing":true,"more":"\#(more)"}"#.utf8), format: format)
        _ = try bench.ask(ada) { _ in
            .publish(
                .init(
                    topic: "a", message: HubMessage(payload, event: "typing"),
                    durability: .volatile))
        }
        let heard = messages(try bench.take(bob)).map(\.payload)
        #expect(heard == [Payload(Array(#"{"typing":true}"#.utf8), format: .json)])
    }

    @Test func `two devices of one name are one member, and both hear`() async throws {
        let bench = try await Bench()
        let phone = try bench.enter("Ada", "a", device: "phone")
        let desk = try bench.enter("Ada", "a", device: "desk")
        let devices = Set(bench.world.hub.references(of: "Ada").map(\.device))
        #expect(devices == ["phone", "desk"])
        let members = try bench.ask(phone) { .members($0, topic: "a") }
        #expect(
            members.contains {
                if case .members(_, _, ["Ada"], 1) = $0 { true } else { false }
            })
        _ = try bench.say(phone, "from the phone", in: "a")
        #expect(messages(try bench.take(desk)).count == 1)
        phone.peer.reset()
        bench.world.run(for: .seconds(1))
        #expect(bench.world.hub.topic("a")?.userCount == 1)
    }

    @Test func `rooms are listed with who is there`() async throws {
        let bench = try await Bench()
        _ = try bench.enter("Ada", "a", "b")
        let bob = try bench.enter("Bob", "b")
        let answers = try bench.ask(bob) {
            .request($0, HubMessage(Payload(Array("{}".utf8), format: .json), event: "rooms"))
        }
        let text = answers.compactMap {
            if case .reply(_, let payload) = $0 { payload.text } else { nil }
        }
        #expect(text.count == 1)
        #expect(text[0].contains(#""count":2"#) && text[0].contains(#""room":"a""#))
    }

    @Test func `too fast is refused, and closed where nobody listens`() async throws {
        let bench = try await Bench()
        let ada = try bench.enter("Ada", "a")
        var codes: [UInt16] = []
        for _ in 0..<400 {
            let (bytes, _) = JSONProtocol().encode(
                .members(RequestID(rawValue: 1), topic: "a"))
            ada.send(bytes, .text)
        }
        bench.world.run(for: .milliseconds(10))
        codes = failures(try bench.take(ada))
        #expect(codes.count > 100)
        #expect(codes.allSatisfy { $0 == FailureCode.rateLimited.rawValue })
        #expect(ada.closeCode == CloseCode.policyViolation.rawValue)
    }

    @Test func `what costs nothing by itself has a rate, too`() async throws {
        let bench = try await Bench()
        let ada = try bench.enter("Ada", "a")
        for _ in 0..<1_300 {
            let (bytes, _) = JSONProtocol().encode(.ping(RequestID(rawValue: 1)))
            ada.send(bytes, .text)
        }
        bench.world.run(for: .milliseconds(10))
        #expect(ada.closeCode == CloseCode.tooMany.rawValue)
    }

    @Test func `one that lost its connection goes on by its token without a hello`() async throws {
        let bench = try await Bench()
        let ada = try bench.connect()
        _ = try bench.hello(ada, "Ada")
        _ = try bench.ask(ada) { .subscribe($0, topic: "a", after: nil) }
        bench.world.run(for: .seconds(1))
        let token = try bench.take(ada).compactMap {
            if case .token(let token, _) = $0 { token } else { nil }
        }.last
        ada.peer.vanish()
        let bob = try bench.enter("Bob", "a")
        _ = try bench.say(bob, "while away", in: "a")
        let again = try bench.connect()
        let resume = ClientEnvelope.Resume(token: try #require(token))
        let heard = try bench.ask(again) { _ in .resume(resume) }
        #expect(messages(heard).count { $0.event == "say" } == 1)
        bench.world.run(for: .seconds(11))
        #expect(again.closeCode == nil)
        #expect(failures(try bench.say(again, "back", in: "a")) == [])
    }
}
