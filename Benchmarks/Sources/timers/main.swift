// What arming, re-arming and cancelling a timer costs, by how many are armed.
import NetPoll

/// Never fires here: every timer is hours away.
final class Target: TimerTarget, Sendable {
    func timerFired(_ id: TimerID, on loop: EventLoop) {}
}

/// Delays between one and three hours, spread as idle timeouts of many connections are.
func delay(_ index: Int) -> Duration {
    .milliseconds(3_600_000 + (index &* 7_919) % 7_200_000)
}

/// The same pseudorandom order each time (Steele, Lea and Flood 2014).
struct Generator: RandomNumberGenerator {
    var state: UInt64 = 1

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}

/// Nanoseconds that arming, re-arming for later and cancelling took, in all.
struct Costs {
    var arm = Duration.zero
    var rearm = Duration.zero
    var cancel = Duration.zero
}

/// The timers one after another, or as messages of connections come: in no order.
enum Order: String, CaseIterable { case sequential, shuffled }

func measure(_ count: Int, _ order: [Int], on loop: EventLoop, _ costs: inout Costs) {
    let target = Target()
    let clock = ContinuousClock()
    var timers = [TimerID](repeating: loop.schedule(after: .seconds(1), target), count: count)
    loop.cancel(timers[0])
    costs.arm += clock.measure {
        for index in order { timers[index] = loop.schedule(after: delay(index), target) }
    }
    // As an idle timeout is put off by every message.
    costs.rearm += clock.measure {
        for index in order { loop.reschedule(timers[index], after: delay(index) + .seconds(30)) }
    }
    costs.cancel += clock.measure {
        for index in order { loop.cancel(timers[index]) }
    }
}

/// One million of each operation, however many timers are armed at once.
func line(_ count: Int, _ order: Order, on loop: EventLoop) -> String {
    var indices = Array(0..<count)
    var generator = Generator()
    if order == .shuffled { indices.shuffle(using: &generator) }
    var costs = Costs()
    let rounds = max(1, 1_000_000 / count)
    for _ in 0..<rounds { measure(count, indices, on: loop, &costs) }
    func each(_ time: Duration) -> Double {
        (time / .nanoseconds(1) / Double(rounds * count) * 10).rounded() / 10
    }
    return "order=\(order.rawValue) timers=\(count) arm_ns=\(each(costs.arm))"
        + " rearm_ns=\(each(costs.rearm)) cancel_ns=\(each(costs.cancel))"
}

var configuration = EventLoopGroup.Configuration()
configuration.loops = 1
let group = try EventLoopGroup(configuration: configuration)
await withCheckedContinuation { (done: CheckedContinuation<Void, Never>) in
    group.loops[0].execute {
        let loop = group.loops[0]
        // Once before, so that the wheel's memory is there and touched.
        var untimed = Costs()
        measure(1_000_000, Array(0..<1_000_000), on: loop, &untimed)
        for order in Order.allCases {
            for count in [1_000, 10_000, 100_000, 1_000_000] {
                print(line(count, order, on: loop))
            }
        }
        done.resume()
    }
}
await group.shutdown()
