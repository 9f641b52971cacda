// What SwiftNIO's scheduled tasks cost: the same operations in the same orders as
// Benchmarks/Sources/timers. Re-arming is cancelling and scheduling, as there is no other way.
import NIOCore
import NIOPosix

func delay(_ index: Int) -> TimeAmount {
    .milliseconds(Int64(3_600_000 + (index &* 7_919) % 7_200_000))
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

func line(_ count: Int, isShuffled: Bool, on loop: any EventLoop) -> String {
    var order = Array(0..<count)
    var generator = Generator()
    if isShuffled { order.shuffle(using: &generator) }
    let clock = ContinuousClock()
    var (arm, rearm, cancel) = (Duration.zero, Duration.zero, Duration.zero)
    let rounds = max(1, 20_000 / count)
    for _ in 0..<rounds {
        var tasks = [Scheduled<Void>](
            repeating: loop.scheduleTask(in: .hours(4)) {}, count: count)
        tasks[0].cancel()
        arm += clock.measure {
            for index in order { tasks[index] = loop.scheduleTask(in: delay(index)) {} }
        }
        rearm += clock.measure {
            for index in order {
                tasks[index].cancel()
                tasks[index] = loop.scheduleTask(in: delay(index) + .seconds(30)) {}
            }
        }
        cancel += clock.measure {
            for index in order { tasks[index].cancel() }
        }
    }
    func each(_ time: Duration) -> Double {
        (time / .nanoseconds(1) / Double(rounds * count) * 10).rounded() / 10
    }
    return "order=\(isShuffled ? "shuffled" : "sequential") timers=\(count) arm_ns=\(each(arm))"
        + " rearm_ns=\(each(rearm)) cancel_ns=\(each(cancel))"
}

let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
let loop = group.next()
try loop.submit {
    // Cancelling looks through all that is scheduled: more would take minutes.
    for isShuffled in [false, true] {
        for count in [1_000, 10_000] { print(line(count, isShuffled: isShuffled, on: loop)) }
    }
}.wait()
try group.syncShutdownGracefully()
