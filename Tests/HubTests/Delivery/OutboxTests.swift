import Testing
import WSFrame

@testable import Hub

@Suite("Outbox")
struct OutboxTests {
    private let message = PreparedMessage(text: String(repeating: "x", count: 98))

    private func limits(
        _ messages: Int, _ bytes: Int, _ overflow: UnicastLimits.Overflow
    ) -> UnicastLimits {
        var limits = UnicastLimits()
        limits.messagesMax = messages
        limits.bytesMax = bytes
        limits.overflow = overflow
        return limits
    }

    @Test(arguments: [(2, 1_000), (9, 200)])
    func `the newest is dropped at either bound`(messages: Int, bytes: Int) {
        var outbox = Outbox()
        let limits = limits(messages, bytes, .dropNewest)
        let outcomes = (0..<3).map { _ in outbox.append(message, limits) }
        #expect(outcomes == [.queued, .queued, .dropped])
        #expect(outbox.dropped == 1)
    }

    @Test func `the oldest are dropped to make room`() {
        var outbox = Outbox()
        let limits = limits(9, 200, .dropOldest)
        for text in ["1", "2", "3"] { _ = outbox.append(PreparedMessage(text: text), limits) }
        let large = PreparedMessage(text: String(repeating: "x", count: 192))
        #expect(outbox.append(large, limits) == .queued)
        #expect(outbox.dropped == 2)
        #expect(outbox.popFirst()?.payload.count == 1)
        #expect(outbox.popFirst() === large)
        #expect(outbox.popFirst() == nil)
    }

    @Test func `an overflow is told where the session is to be closed`() {
        var outbox = Outbox()
        let limits = limits(1, 1_000, .close)
        #expect(outbox.append(message, limits) == .queued)
        #expect(outbox.append(message, limits) == .overflow)
    }

    @Test func `a message larger than the bound may wait alone`() {
        var outbox = Outbox()
        #expect(outbox.append(message, limits(1, 10, .close)) == .queued)
    }
}
