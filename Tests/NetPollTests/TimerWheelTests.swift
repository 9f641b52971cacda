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
        #expect(cancelled && !cancelledAgain)
        let second = wheel.arm(at: Self.start + .seconds(1), 2)
        let cancelledStale = wheel.cancel(first)
        let rearmedStale = wheel.rearm(first, at: Self.start)
        #expect(!cancelledStale && !rearmedStale)
        let fired = wheel.popExpired(now: Self.start + .seconds(2))?.payload
        let cancelledFired = wheel.cancel(second)
        #expect(fired == 2)
        #expect(!cancelledFired)
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
                let cancelled = wheel.cancel(model.remove(at: index).id)
                #expect(cancelled)
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

    private func isDue(_ deadline: Instant, _ now: Instant) -> Bool {
        func millisecond(_ instant: Instant, roundedUp: Bool) -> Int64 {
            let distance = instant.nanoseconds - Self.start.nanoseconds
            return (distance + (roundedUp ? 999_999 : 0)) / 1_000_000
        }
        return millisecond(deadline, roundedUp: true) <= millisecond(now, roundedUp: false)
    }
}
