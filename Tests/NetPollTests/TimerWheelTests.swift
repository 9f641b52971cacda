import NetPoll
import NetPollTesting
import Testing

@Suite("TimerWheel")
struct TimerWheelTests {
    private static let start = Instant(nanoseconds: 5_000_000_123)

    @Test(arguments: [
        0, 1, 2, 63, 64, 65, 4_095, 4_096, 4_097, 262_143, 262_144, 300_000, 100_000_000,
        20_000_000_000,
    ])
    func `a timer fires within a millisecond after its deadline and never before`(
        milliseconds: Int
    ) throws {
        var wheel = TimerWheel<Int>(now: Self.start)
        let deadline = Self.start + .milliseconds(milliseconds)
        let id = wheel.arm(at: deadline, 7)
        var now = Self.start
        while true {
            if let fired = wheel.popExpired(now: now) {
                #expect(fired.id == id && fired.payload == 7)
                break
            }
            let next = wheel.nextDeadline
            now = max(now, try #require(next))
        }
        #expect(now >= deadline)
        #expect(now <= deadline + .milliseconds(1))
        let (count, next) = (wheel.count, wheel.nextDeadline)
        #expect(count == 0)
        #expect(next == nil)
    }

    @Test func `a cancelled timer does not fire and its identifier names nothing`() {
        var wheel = TimerWheel<Int>(now: Self.start)
        let first = wheel.arm(at: Self.start + .seconds(1), 1)
        let cancelled = wheel.cancel(first)
        let cancelledAgain = wheel.cancel(first)
        #expect(cancelled == 1 && cancelledAgain == nil)
        let second = wheel.arm(at: Self.start + .seconds(1), 2)
        let cancelledStale = wheel.cancel(first)
        let rearmedStale = wheel.rearm(first, at: Self.start)
        #expect(cancelledStale == nil && !rearmedStale)
        let fired = wheel.popExpired(now: Self.start + .seconds(2))?.payload
        let cancelledFired = wheel.cancel(second)
        #expect(fired == 2)
        #expect(cancelledFired == nil)
    }

    @Test(arguments: 0..<100 as Range<UInt64>)
    func `arming, re-arming, cancelling and firing agree with a sorted list`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var wheel = TimerWheel<Int>(now: Self.start)
        var model: [(id: TimerID, deadline: Instant, payload: Int)] = []
        var now = Self.start
        for step in 0..<400 {
            let reach = [10, 1_000, 100_000, 10_000_000, 4_000_000_000].randomElement(
                using: &random)
            let deadline =
                now + .microseconds(Int64.random(in: 0...Int64(reach ?? 1) * 1_000, using: &random))
            switch Int.random(in: 0..<10, using: &random) {
            case 0..<5:
                model.append((wheel.arm(at: deadline, step), deadline, step))
            case 5 where !model.isEmpty:
                let index = Int.random(in: model.indices, using: &random)
                let removed = model.remove(at: index)
                let cancelled = wheel.cancel(removed.id)
                #expect(cancelled == removed.payload)
            case 6 where !model.isEmpty:
                let index = Int.random(in: model.indices, using: &random)
                let rearmed = wheel.rearm(model[index].id, at: deadline)
                #expect(rearmed)
                model[index].deadline = deadline
            default:
                now =
                    now
                    + .microseconds(Int64.random(in: 0...Int64(reach ?? 1) * 500, using: &random))
                var fired: [Int] = []
                while let timer = wheel.popExpired(now: now) { fired.append(timer.payload) }
                // A timer is due from the first whole millisecond that is not before its deadline.
                let due = model.filter { isDue($0.deadline, now) }.map(\.payload)
                #expect(fired.sorted() == due.sorted(), "seed \(seed), step \(step)")
                model.removeAll { isDue($0.deadline, now) }
            }
            let (count, next) = (wheel.count, wheel.nextDeadline)
            #expect(count == model.count)
            #expect((next == nil) == model.isEmpty)
            if let next, let first = model.map(\.deadline).min() {
                #expect(next <= first + .milliseconds(1), "seed \(seed), step \(step)")
            }
        }
    }

    @Test func `timers fire in the order of their deadlines`() {
        var random = SeededGenerator(seed: 3)
        var wheel = TimerWheel<Int>(now: Self.start)
        for milliseconds in (0..<5_000).shuffled(using: &random) {
            _ = wheel.arm(at: Self.start + .milliseconds(milliseconds), milliseconds)
        }
        var fired: [Int] = []
        while let timer = wheel.popExpired(now: Self.start + .seconds(60)) {
            fired.append(timer.payload)
        }
        #expect(fired == Array(0..<5_000))
    }

    @Test func `a timer that is put off and brought forward fires at its last deadline`() {
        var wheel = TimerWheel<Int>(now: Self.start)
        let id = wheel.arm(at: Self.start + .milliseconds(100), 1)
        var rearmed: [Bool] = []
        for milliseconds in [500, 100_000, 5_000, 700, 90_000, 40_000] {
            rearmed.append(wheel.rearm(id, at: Self.start + .milliseconds(milliseconds)))
        }
        let early = wheel.popExpired(now: Self.start + .milliseconds(39_999))?.payload
        let next = wheel.nextDeadline
        let fired = wheel.popExpired(now: Self.start + .milliseconds(40_000))?.payload
        #expect(rearmed == Array(repeating: true, count: 6))
        #expect(early == nil && fired == 1)
        #expect(next.map { $0 <= Self.start + .milliseconds(40_000) } == true)
    }

    @Test func `a timer that is due may still be put off`() {
        var wheel = TimerWheel<Int>(now: Self.start)
        let ids = (0..<3).map { wheel.arm(at: Self.start + .milliseconds(10), $0) }
        let now = Self.start + .milliseconds(10)
        let first = wheel.popExpired(now: now)?.payload
        let putOff = wheel.rearm(ids[1], at: now + .milliseconds(1))
        let second = wheel.popExpired(now: now)?.payload
        let third = wheel.popExpired(now: now)?.payload
        let later = wheel.popExpired(now: now + .milliseconds(1))?.payload
        #expect(putOff)
        #expect([first, second, third, later] == [0, 2, nil, 1])
    }

    @Test func `a repeating timer keeps its beat, and tells missed ones once`() {
        var wheel = TimerWheel<Int>(now: Self.start)
        let id = wheel.arm(at: Self.start + .milliseconds(10), every: 7, 1)
        var beats: [Int] = []
        for milliseconds in [9, 10, 16, 17, 18, 24, 60, 65, 66, 67] {
            let now = Self.start + .milliseconds(milliseconds)
            while let fired = wheel.popExpired(now: now) {
                #expect(fired.id == id)
                beats.append(milliseconds)
            }
        }
        let next = wheel.nextDeadline
        let cancelled = wheel.cancel(id)
        let count = wheel.count
        // Beats at 10, 17, 24, 31 … 59, 66, 73; those from 31 to 59 were missed and told at 60.
        #expect(beats == [10, 17, 24, 60, 66])
        #expect(next.map { $0 <= Self.start + .milliseconds(73) } == true)
        #expect(cancelled == 1 && count == 0)
    }

    @Test func `what one call fires and moves keeps to its budget`() {
        var wheel = TimerWheel<Int>(now: Self.start)
        // All in one slot of the third level, which is reached at 8,192.
        for index in 0..<1_000 {
            _ = wheel.arm(at: Self.start + .milliseconds(8_192 + index), index)
        }
        let now = Self.start + .milliseconds(10_000)
        var (fired, calls): ([Int], Int) = ([], 0)
        while wheel.nextDeadline.map({ $0 <= now }) == true {
            var budget = 50
            calls += 1
            while let timer = wheel.popExpired(now: now, budget: &budget) {
                fired.append(timer.payload)
            }
        }
        #expect(fired == Array(0..<1_000))
        #expect(calls >= 2_000 / 50, "each timer moved at least once and fired")
    }

    @Test func `identifiers hold in storage of many chunks`() {
        var wheel = TimerWheel<Int>(now: Self.start)
        let count = 300_000
        var ids: [TimerID] = []
        for index in 0..<count {
            ids.append(wheel.arm(at: Self.start + .milliseconds(1 + index % 50_000), index))
        }
        var random = SeededGenerator(seed: 9)
        var mistaken = 0
        for index in (0..<count).shuffled(using: &random) {
            if index % 3 == 0 {
                if wheel.cancel(ids[index]) != index { mistaken += 1 }
            } else if !wheel.rearm(ids[index], at: Self.start + .milliseconds(60_000)) {
                mistaken += 1
            }
        }
        let removed = wheel.removeAll().sorted()
        let left = wheel.count
        #expect(mistaken == 0)
        #expect(removed == (0..<count).filter { $0 % 3 != 0 })
        #expect(left == 0 && wheel.nextDeadline == nil)
    }

    private func isDue(_ deadline: Instant, _ now: Instant) -> Bool {
        func millisecond(_ instant: Instant, roundedUp: Bool) -> Int64 {
            let distance = instant.nanoseconds - Self.start.nanoseconds
            return (distance + (roundedUp ? 999_999 : 0)) / 1_000_000
        }
        return millisecond(deadline, roundedUp: true) <= millisecond(now, roundedUp: false)
    }
}
