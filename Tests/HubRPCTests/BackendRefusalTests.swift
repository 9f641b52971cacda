import Hub
import HubHTTP
import HubRPC
import HubTesting
import NetPollTesting
import RPC
import Testing

@Suite("What the backend refuses by RPC")
struct BackendRefusalTests {
    /// The methods of the service.
    static let methods = [
        "Publish", "Send", "Broadcast", "BeginCampaign", "Campaign", "PauseCampaign",
        "ResumeCampaign", "CancelCampaign", "Kick", "Presence", "History", "Sessions",
    ]

    private func bytes(_ method: String) -> UnaryMethod<[UInt8], [UInt8]> {
        UnaryMethod(named: method, of: HubBackend.serviceName)
    }

    /// What a call fails with, and the typed error in it.
    private func failure<Value>(
        of body: () throws -> Value
    ) throws -> (error: RPCError, typed: CommandFailure?) {
        let error = try #require(throws: RPCError.self) { _ = try body() }
        return (error, error.typed(CommandFailure.self))
    }

    @Test(arguments: methods)
    func `no method does anything without a key`(method: String) async throws {
        let bench = try await BackendBench()
        for metadata in [
            [:], ["authorization": "Bearer akeyof16bytesxxx"], ["authorization": BackendBench.key],
            ["authorization": "Basic \(BackendBench.key)"], ["x-api-key": ""],
            ["x-api-key": "AKEYOF16BYTESXXXX"], ["x-api-key": "akeyof16bytesxxxxx"],
        ] as [RPCMetadata] {
            // What cannot be decoded is not looked at either.
            let (error, typed) = try failure {
                try bench.call(bytes(method), Array("{".utf8), metadata: metadata)
            }
            #expect(error.code == .unauthenticated)
            #expect(typed?.reason == .unauthenticated)
        }
    }

    @Test func `either form of a key opens, whatever the case of its name`() async throws {
        let bench = try await BackendBench()
        for metadata in [
            ["x-api-key": BackendBench.key], ["Authorization": "bearer \(BackendBench.key)"],
        ] as [RPCMetadata] {
            #expect(
                try bench.call(HubBackend.sessions, .count, metadata: metadata) == .count(0))
        }
    }

    @Test func `other services of the same server need no key`() async throws {
        let bench = try await BackendBench()
        #expect(try bench.call(BackendBench.Other.echo, [1], metadata: [:]) == [1])
    }

    @Test func `before there is a hub everything is unavailable`() async throws {
        let bench = try await BackendBench(isServed: false)
        let (error, typed) = try failure { try bench.call(HubBackend.sessions, .count) }
        #expect(error.code == .unavailable && typed?.reason == .unavailable)
    }

    @Test(arguments: [
        ("Publish", "{}"), ("Publish", "not json"), ("Publish", #"{"topic":"a"}"#),
        ("Publish", #"{"topic":"a","text":"x","data":1}"#),
        ("Publish", #"{"topic":"a","text":"x","durability":"no"}"#),
        ("Publish", #"{"topic":"a","data":[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]}"#),
        ("Send", #"{"user":"","text":"x"}"#), ("Send", #"{"user":"a","text":"x","ttl":0}"#),
        ("Broadcast", "{}"), ("BeginCampaign", #"{"rate":0,"text":"x"}"#),
        ("BeginCampaign", #"{"rate":100001,"text":"x"}"#),
        ("BeginCampaign", #"{"rate":1,"text":"x","id":""}"#),
        ("Campaign", "{}"), ("Kick", #"{"user":"a","ban_seconds":0}"#), ("Presence", "{}"),
        ("History", #"{"topic":"a","epoch":"!"}"#), ("History", #"{"topic":"a","limit":0}"#),
        ("History", #"{"topic":"a","limit":1001}"#), ("Sessions", "[]"),
    ])
    func `a request that is not what it has to be is an invalid argument`(
        method: String, request: String
    ) async throws {
        let bench = try await BackendBench()
        let (error, _) = try failure { try bench.call(bytes(method), Array(request.utf8)) }
        #expect(error.code == .invalidArgument)
        #expect(!error.message.isEmpty)
    }

    @Test(arguments: [1, 1_000])
    func `a limit at its edges is taken`(limit: Int) async throws {
        let bench = try await BackendBench()
        let command = HistoryCommand(topic: "a", limit: limit)
        #expect(try bench.call(HubBackend.history, command).messages.isEmpty)
    }

    @Test func `what is full or unknown is told by a typed error`() async throws {
        var bounds = PushAPI.Configuration()
        bounds.campaignsMax = 1
        let bench = try await BackendBench(bounds) { hub in
            hub.topicsMax = 1
            hub.inbox?.limits.messagesMax = 1
        }
        let unknown = try failure {
            try bench.call(HubBackend.campaign, CampaignReference(id: "none"))
        }
        #expect(unknown.error.code == .notFound && unknown.typed?.reason == .unknownCampaign)
        #expect(unknown.error.message == "no such campaign")

        let ann = SendCommand(user: "ann", HubMessage(text: "x"))
        _ = try bench.call(HubBackend.send, ann)
        let full = try failure { try bench.call(HubBackend.send, ann) }
        #expect(full.error.code == .resourceExhausted && full.typed?.reason == .tooMany)

        let users = (0..<100).map { "u\($0)" }
        let slow = CampaignCommand(HubMessage(text: "x"), to: .inboxes(of: users), rate: 1)
        _ = try bench.call(HubBackend.beginCampaign, slow)
        #expect(
            try failure { try bench.call(HubBackend.beginCampaign, slow) }.typed?.reason
                == .tooMany)

        let first = PublishCommand(topic: "a", HubMessage(text: "x"))
        let second = PublishCommand(topic: "b", HubMessage(text: "x"))
        _ = try bench.call(HubBackend.publish, first)
        #expect(
            try failure { try bench.call(HubBackend.publish, second) }.typed?.reason == .tooMany)
    }

    @Test func `a message of bytes is refused before it is sent`() async throws {
        let bench = try await BackendBench()
        let command = SendCommand(user: "a", HubMessage(Payload([0xff], format: .binary)))
        let (error, _) = try failure { try bench.call(HubBackend.send, command) }
        #expect(error.code == .internal && error.execution == .notRun)
    }
}
