import NetPollTesting
import Seeds
import Testing

@testable import RPC

@Suite("UnreadMessages")
struct UnreadMessagesTests {
    @Test(arguments: [1, 10, 1_000])
    func `a reader that never catches up leaves no places behind`(waiting: Int) {
        var unread = UnreadMessages()
        for _ in 0..<waiting { unread.append([1, 2]) }
        var most = 0
        for _ in 0..<100_000 {
            unread.append([1, 2])
            #expect(unread.popFirst() == [1, 2])
            most = max(most, unread.places)
        }
        #expect(most <= 2 * waiting + 128)
        #expect(unread.cost == waiting * ConnectionCore.cost(2))
    }

    @Test(arguments: seeds(20))
    func `messages come in their order, and cost nothing when they were read`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var unread = UnreadMessages()
        var (added, read) = (0, 0)
        for round in 0..<4_000 {
            let isGrowing = round / 1_000 % 2 == 0
            if Int.random(in: 0..<4, using: &random) < (isGrowing ? 3 : 1) {
                unread.append([UInt8(truncatingIfNeeded: added)])
                added += 1
            } else if let message = unread.popFirst() {
                #expect(message == [UInt8(truncatingIfNeeded: read)], "seed \(seed)")
                read += 1
            }
            #expect(unread.isEmpty == (read == added), "seed \(seed)")
            #expect(unread.cost == (added - read) * ConnectionCore.cost(1), "seed \(seed)")
        }
    }
}
