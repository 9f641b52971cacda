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

func nanosecondsEach(_ count: Int, _ body: () -> Void) -> Double {
    let time = ContinuousClock().measure(body)
    return time / .nanoseconds(1) / Double(count)
}

func measure(_ count: Int, on loop: EventLoop) -> String {
    let target = Target()
    var timers: [TimerID] = []
    timers.reserveCapacity(count)
    let arm = nanosecondsEach(count) {
        for index in 0..<count { timers.append(loop.schedule(after: delay(index), target)) }
    }
    let rearm = nanosecondsEach(count) {
        for index in 0..<count { loop.reschedule(timers[index], after: delay(index &+ 1)) }
    }
    let cancel = nanosecondsEach(count) {
        for timer in timers { loop.cancel(timer) }
    }
    func text(_ value: Double) -> String { "\((value * 10).rounded() / 10)" }
    return "timers=\(count) arm_ns=\(text(arm)) rearm_ns=\(text(rearm)) cancel_ns=\(text(cancel))"
}

var configuration = EventLoopGroup.Configuration()
configuration.loops = 1
let group = try EventLoopGroup(configuration: configuration)
await withCheckedContinuation { (done: CheckedContinuation<Void, Never>) in
    group.loops[0].execute {
        let loop = group.loops[0]
        // Once before, so that the wheel's memory is there and touched.
        _ = measure(1_000_000, on: loop)
        for count in [1_000, 10_000, 100_000, 1_000_000] { print(measure(count, on: loop)) }
        done.resume()
    }
}
await group.shutdown()
