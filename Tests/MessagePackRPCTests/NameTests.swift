import NetPoll
import NetPollTesting
import Testing

@testable import MessagePackRPC

/// Marks that stand in another order than the canonical one: what compares text by canonical
/// equivalence sorts them, in time that grows with the square of their number. With 2 million of
/// them that would not end within the suite's limit.
@Suite("Names of methods, MessagePack-RPC", .timeLimit(.minutes(1)))
struct NameTests {
    private let marks = "a" + String(repeating: "\u{301}\u{323}", count: 1_000_000)
    private let witness = Witness()

    private func world(_ handlers: MessagePackRPCHandlers) throws -> PeerWorld {
        try PeerWorld(handlers: handlers)
    }

    @Test func `a request of a million marks is answered with few of them`() throws {
        let world = try world(.standard(witness))
        let client = try world.connect()
        let error = try #require(throws: MessagePackRPCError.self) {
            try world.run { [marks] in try await client.call(marks) }
        }
        guard case .answered(let fault) = error.reason else {
            Issue.record("\(error)")
            return
        }
        #expect(fault.text?.utf8.starts(with: "no method a\u{301}".utf8) == true)
        #expect(fault.encoded.count < 600)
        #expect(try world.run { try await client.call("add", 1, 2, returning: Int.self) } == 3)
    }

    @Test func `a notification of a million marks is dropped`() throws {
        var handlers = MessagePackRPCHandlers.standard(witness)
        handlers.handleOtherNotifications { [witness] _, context in
            // As a handler may that looks for names of its own.
            witness.note(context.method == "known" ? "known" : "other")
        }
        let world = try world(handlers)
        let client = try world.connect()
        try world.run { [marks] in
            try await client.notify(marks)
            try await client.notify(String(repeating: "n", count: 1_025))
            try await client.notify(String(repeating: "n", count: 1_024))
            try await client.notify("known")
            try await client.call("nothing")
        }
        #expect(witness.all == ["other", "known", "nothing 1"])
    }

    @Test func `a name is what its bytes are`() throws {
        var handlers = MessagePackRPCHandlers()
        handlers.handle("\u{e9}", on: .loop) { _, _ in 1 }
        handlers.handle("e\u{301}", on: .loop) { _, _ in 2 }
        handlers.handleNotification("\u{e9}") { [witness] _, _ in witness.note("1") }
        handlers.handleNotification("e\u{301}") { [witness] _, _ in witness.note("2") }
        let world = try world(handlers)
        let client = try world.connect()
        for (name, number) in [("\u{e9}", 1), ("e\u{301}", 2)] {
            #expect(try world.run { try await client.call(name, returning: Int.self) } == number)
            try world.run { try await client.notify(name) }
        }
        try world.run { _ = try await client.call("\u{e9}", returning: Int.self) }
        #expect(witness.all == ["1", "2"])
    }
}
