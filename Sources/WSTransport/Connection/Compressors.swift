import NetPoll
import WSFrame

/// A loop's compressors, and the timer that gives back what is idle.
final class Compressors: TimerTarget {
    let pool = DeflatePool()
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
        isArmed = false
        pool.sweep()
        // The last connection leaves something for one more round.
        if connections > 0 || !pool.isEmpty { arm(loop) }
    }
}
