import NetPoll

/// Ends a server's connection when it is old enough: GOAWAY, a time for the calls that run, the end.
final class ConnectionAge: TimerTarget {
    private let peer: PeerConnection
    private var timer: TimerID?
    private var isOver = false

    /// On the connection's loop.
    init(_ peer: PeerConnection) {
        self.peer = peer
        arm()
    }

    private func arm() {
        guard let age = peer.configuration.ageMax else { return }
        var random = peer.loop.random
        let share = 1 - Double.random(in: 0...peer.configuration.ageJitter, using: &random)
        timer = peer.loop.schedule(after: age * share, self)
    }

    func timerFired(_ id: TimerID, on loop: EventLoop) {
        timer = nil
        if isOver { return peer.connection.abort() }
        // Without GOAWAY a client would take the end for a fault.
        guard peer.core.extensions != .plain else { return }
        // Its first call may still come, and say what it knows.
        guard peer.core.peer != nil else { return arm() }
        isOver = true
        peer.drain()
        guard !peer.isClosed, let grace = peer.configuration.ageGrace else { return }
        timer = loop.schedule(after: grace, self)
    }

    /// The connection ended.
    func stop() {
        isOver = true
        if let timer { peer.loop.cancel(timer) }
        timer = nil
    }
}
