import NetPoll
import WSFrame

/// A loop's compressors, and the timer that gives back what is idle.
final class Compressors: TimerTarget {
    let pool = DeflatePool()
    /// The most contexts that are given back in one turn, at up to two system calls each, some 20
    /// microseconds; the others follow millisecond by millisecond, so that a hundred thousand that
    /// idle do not hold the loop up.
    static let contextsPerTurnMax = 16

    private let idleTimeout: Duration
    private var connections = 0
    private var isArmed = false

    init(idleTimeout: Duration) {
        self.idleTimeout = idleTimeout
    }

    func connectionBegan(_ loop: EventLoop) {
        connections += 1
        arm(loop)
    }

    func connectionEnded() { connections -= 1 }

    private func arm(_ loop: EventLoop) {
        guard !isArmed else { return }
        isArmed = true
        loop.schedule(after: idleTimeout, self)
    }

    func timerFired(_ id: TimerID, on loop: EventLoop) {
        guard pool.sweep(contextsMax: Self.contextsPerTurnMax) else {
            loop.schedule(after: .milliseconds(1), self)
            return
        }
        isArmed = false
        // The last connection leaves something for one more round.
        if connections > 0 || !pool.isEmpty { arm(loop) }
    }
}
