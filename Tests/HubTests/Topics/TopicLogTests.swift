import NetPollTesting
import Testing

@testable import Hub

@Suite("TopicLog")
struct TopicLogTests {
    private func makeLog(
        loops: Int = 3, history: Int = 5, historyBytes: Int = 1_000, live: Int = 1_000,
        liveBytes: Int = 1_000_000
    ) -> TopicLog<Int> {
        TopicLog(
            epoch: Epoch(rawValue: 7), loops: loops,
            limits: .init(
                historyMessagesMax: history, historyBytesMax: historyBytes, liveMessagesMax: live,
                liveBytesMax: liveBytes))
    }

    private func taken(from log: inout TopicLog<Int>, by loop: Int) -> [Int] {
        var messages: [Int] = []
        _ = log.take(for: loop, into: &messages, bytesMax: .max)
        return messages
    }

    private func woken(_ outcome: TopicLog<Int>.OnAppend) -> [Int]? {
        switch outcome {
        case .appended(let wake): Array(wake)
        case .refused: nil
        }
    }

    @Test func `a loop is woken once per burst, and again after it has read`() {
        var log = makeLog()
        log.attach(0)
        log.attach(2)
        #expect(woken(log.append(1, bytes: 1, stored: true)) == [0, 2])
        #expect(woken(log.append(2, bytes: 1, stored: true)) == [])
        #expect(taken(from: &log, by: 2) == [1, 2])
        #expect(woken(log.append(3, bytes: 1, stored: true)) == [2])
        #expect(taken(from: &log, by: 0) == [1, 2, 3])
        #expect(taken(from: &log, by: 2) == [3])
    }

    @Test func `a loop that nobody attached is never woken and reads nothing`() {
        var log = makeLog()
        #expect(woken(log.append(1, bytes: 1, stored: true)) == [])
        #expect(taken(from: &log, by: 1) == [])
    }

    @Test(arguments: 0..<200 as Range<UInt64>)
    func `every loop reads everything from its attachment on, in the one order`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var log = makeLog()
        var appended = 0
        var expected: [Int: Int] = [:]
        for _ in 0..<500 {
            let loop = Int.random(in: 0..<3, using: &random)
            switch Int.random(in: 0..<10, using: &random) {
            case 0 where expected[loop] == nil:
                log.attach(loop)
                expected[loop] = appended
            case 1 where expected[loop] != nil:
                log.detach(loop)
                expected[loop] = nil
            case 2...5:
                let isStored = Bool.random(using: &random)
                #expect(woken(log.append(appended, bytes: 1, stored: isStored)) != nil)
                appended += 1
            default:
                let from = expected[loop]
                #expect(taken(from: &log, by: loop) == from.map { Array($0..<appended) } ?? [])
                if from != nil { expected[loop] = appended }
            }
        }
    }

    @Test(arguments: 0..<100 as Range<UInt64>)
    func `what a client missed is given in full or said to be missing`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var log = makeLog(history: Int.random(in: 0...8, using: &random))
        var stored: [Int] = []
        for message in 0..<Int.random(in: 0...20, using: &random) {
            let isStored = Int.random(in: 0..<3, using: &random) > 0
            _ = log.append(message, bytes: 1, stored: isStored)
            if isStored { stored.append(message) }
        }
        #expect(log.offset == UInt64(stored.count))
        for known in 0...stored.count {
            let position = TopicPosition(epoch: log.epoch, offset: UInt64(known))
            let (messages, recovered) = log.messages(after: position)
            if recovered {
                #expect(messages == Array(stored[known...]))
            } else {
                #expect(messages == Array(stored.suffix(messages.count)))
                #expect(messages.count < stored.count - known)
            }
        }
    }

    @Test func `a long burst is read in parts, and the loop comes again by itself`() {
        var log = makeLog()
        log.attach(0)
        for message in 0..<10 { _ = log.append(message, bytes: 30, stored: false) }
        var messages: [Int] = []
        let first = log.take(for: 0, into: &messages, bytesMax: 100)
        #expect(messages == [0, 1, 2, 3])
        #expect(first == TopicLog<Int>.OnTake(start: 0, hasMore: true, epoch: log.epoch))
        #expect(woken(log.append(10, bytes: 30, stored: false)) == [])
        let rest = log.take(for: 0, into: &messages, bytesMax: 1_000)
        #expect(messages == Array(0...10))
        #expect(rest == TopicLog<Int>.OnTake(start: 4, hasMore: false, epoch: log.epoch))
        #expect(woken(log.append(11, bytes: 30, stored: false)) == [0])
    }

    @Test func `a position of another epoch or of the future is not recovered`() {
        var log = makeLog()
        _ = log.append(1, bytes: 1, stored: true)
        for position in [
            TopicPosition(epoch: Epoch(rawValue: 8), offset: 1),
            TopicPosition(epoch: log.epoch, offset: 2),
            TopicPosition(epoch: log.epoch, offset: .max),
        ] {
            let (messages, recovered) = log.messages(after: position)
            #expect(!recovered)
            #expect(messages == [1])
        }
    }

    @Test func `history is bounded in messages and in bytes, and keeps the newest in any case`() {
        var log = makeLog(history: 3, historyBytes: 10)
        for message in 1...5 { _ = log.append(message, bytes: 2, stored: true) }
        #expect(log.messages(after: nil).messages == [3, 4, 5])
        _ = log.append(6, bytes: 7, stored: true)
        #expect(log.messages(after: nil).messages == [5, 6])
        _ = log.append(7, bytes: 100, stored: true)
        #expect(log.messages(after: nil).messages == [7])
    }

    @Test func `a loop that falls behind stops publishing, not the others' reading`() {
        var log = makeLog(live: 3)
        log.attach(0)
        log.attach(1)
        for message in 1...3 { _ = log.append(message, bytes: 1, stored: true) }
        #expect(taken(from: &log, by: 0) == [1, 2, 3])
        #expect(woken(log.append(4, bytes: 1, stored: true)) == nil)
        #expect(log.offset == 3)
        #expect(taken(from: &log, by: 1) == [1, 2, 3])
        #expect(woken(log.append(4, bytes: 1, stored: true)) == [0, 1])
    }

    @Test func `undelivered bytes are bounded, but a single message always fits`() {
        var log = makeLog(liveBytes: 10)
        log.attach(0)
        #expect(woken(log.append(1, bytes: 100, stored: true)) == [0])
        #expect(woken(log.append(2, bytes: 1, stored: true)) == nil)
        log.detach(0)
        #expect(woken(log.append(3, bytes: 1, stored: true)) == [])
    }
}
