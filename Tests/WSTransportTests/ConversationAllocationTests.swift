import AllocationCounter
import Conversations
import Testing

@Suite(
    "Allocations of a client and a server of ours", .enabled(if: allocation_counter_is_active()),
    .timeLimit(.minutes(10)))
struct ConversationAllocationTests {
    @Test(arguments: Conversation.Form.allCases, [64, 1_000, 16 << 10])
    func `a message there and one back allocate nothing`(
        form: Conversation.Form, messageBytes: Int
    ) async throws {
        let conversation = try await Conversation(form, messageBytes: messageBytes)
        defer { conversation.end() }
        let opening = try conversation.open()
        #expect(opening > 0, "a handshake without allocating")
        #expect(conversation.isCompressed == (form != .plain && form != .prepared))
        _ = try conversation.talk(20)
        let used = try conversation.talk(100)
        #expect(used.inAll == 0)
        #expect(conversation.answerBytes == messageBytes)
    }

    /// 64 KiB is the most that the gather buffer takes; of longer frames the memory of the last is
    /// used again, up to 256 KiB.
    @Test(arguments: [(70_000, true), (256_000, true), (270_000, false)])
    func `a client's frame allocates nothing up to 256 KiB`(
        messageBytes: Int, isReused: Bool
    ) async throws {
        let conversation = try await Conversation(.plain, messageBytes: messageBytes)
        defer { conversation.end() }
        _ = try conversation.open()
        _ = try conversation.talk(5)
        let used = try conversation.talk(20)
        #expect((used.bySends == 0) == isReused)
        #expect(conversation.answerBytes == messageBytes)
    }
}
