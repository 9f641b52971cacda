import Logging
import NetPoll
import Synchronization
import WSFrame
import WSTransport

// How a hub ends: nobody is let in, everyone is told when to come again, what waits is sent.
extension HubServer {
    /// The sockets that it listens on, to be passed to a successor (`ListenerHandover`).
    public func listenerDescriptors() async -> [Int32] { await server.listenerDescriptors() }

    /// Stops accepting connections, and goes on serving those that it has accepted; returns when each of
    /// them is a session or has had an answer, or when `patience` is over.
    ///
    /// A hub that is succeeded does this before ``drain(deadline:reconnectingWithin:)``, so that nobody
    /// who came to it in its last moments is turned away.
    ///
    /// - Parameter patience: How long a client that asks nothing is waited for. Default 500 ms.
    public func stopAccepting(within patience: Duration = .milliseconds(500)) async {
        await server.stopAccepting(within: patience)
    }

    /// Ends all service: nobody is let in any more; every session is told to connect again after a
    /// delay of its own, has what waits for it, and is closed with 1001; those that are not gone when
    /// `deadline` is over are cut off. Very many are told, and closed, over several turns of a loop:
    /// no more in each than ``/NetPoll/EventLoop/Configuration/closesPerTurnMax``.
    ///
    /// - Parameters:
    ///   - deadline: How long it may take in all.
    ///   - spread: Over how long the sessions are told to spread their coming again, where their
    ///     protocol has a word for it; zero, the default, tells them nothing.
    public func drain(deadline: Duration, reconnectingWithin spread: Duration = .zero) async {
        logger.info(
            "draining", metadata: ["sessions": "\(sessionCount)", "deadline": "\(deadline)"])
        await withCheckedContinuation { continuation in
            beginDrain(deadline: deadline, reconnectingWithin: spread) { continuation.resume() }
        }
        await server.drain(code: .goingAway, deadline: .zero)
        await directories.node?.leave()
        logger.info("drained")
    }

    /// As ``drain(deadline:reconnectingWithin:)`` but for the listeners, which go on to refuse.
    ///
    /// `whenDone` is called on one of the loops.
    package func beginDrain(
        deadline: Duration, reconnectingWithin spread: Duration = .zero,
        whenDone: @escaping @Sendable () -> Void
    ) {
        gate.beginDraining()
        let flushed = FlushCount(loops: shards.count)
        let whenFlushed: @Sendable (Duration) -> Void = { left in
            guard flushed.isLast() else { return }
            self.server.beginDrain(
                code: .goingAway, deadline: deadline / 2 + left, whenDone: whenDone)
        }
        for shard in shards {
            let willRun = shard.loop.execute {
                let limit = shard.loop.now + deadline / 2
                shard.tellToReconnect(within: spread) {
                    shard.flushAll(until: limit) {
                        whenFlushed(max(limit - shard.loop.now, .zero))
                    }
                }
            }
            // A loop that was shut down has no sessions.
            if !willRun { whenFlushed(.zero) }
        }
    }
}

private final class FlushCount: Sendable {
    private let loopsLeft: Atomic<Int>

    init(loops: Int) {
        loopsLeft = Atomic(loops)
    }

    func isLast() -> Bool {
        loopsLeft.subtract(1, ordering: .relaxed).newValue == 0
    }
}

extension HubShard {
    private static let flushStep = Duration.milliseconds(20)

    /// Tells every session when to come again, evenly over `spread`; no more of them a turn than the
    /// loop closes connections.
    func tellToReconnect(within spread: Duration, _ whenDone: @escaping @Sendable () -> Void) {
        guard spread > .zero, sessions.count > 0 else { return whenDone() }
        let step = spread / sessions.count
        // Each loop begins elsewhere within the step, so that their sessions do not come in pairs.
        let first = step / (configuration.protocols.count + loop.index + 1)
        tellToReconnect(after: first, step: step, fromSlot: 0, whenDone)
    }

    private func tellToReconnect(
        after first: Duration, step: Duration, fromSlot slot: Int,
        _ whenDone: @escaping @Sendable () -> Void
    ) {
        let end = endOfSweep(fromSlot: slot)
        var delay = first
        for slot in slot..<end {
            guard let session = sessions.session(inSlot: slot) else { continue }
            session.tell(.reconnect(after: delay))
            delay += step
        }
        guard end < sessions.slotCount else { return whenDone() }
        let next = delay
        loop.execute {
            self.tellToReconnect(after: next, step: step, fromSlot: end, whenDone)
        }
    }

    /// Waits until each session was seen once with nothing that waits for it and that its connection
    /// takes, or until `limit` or the end of the loop. A turn looks at no more of them than the loop
    /// closes connections.
    func flushAll(
        until limit: Instant, fromSlot slot: Int = 0, _ whenDone: @escaping @Sendable () -> Void
    ) {
        var slot = slot
        let end = endOfSweep(fromSlot: slot)
        while slot < end, !isWaiting(sessions.session(inSlot: slot)) { slot += 1 }
        guard slot < sessions.slotCount, loop.now < limit else { return whenDone() }
        let next = slot
        guard next < end else {
            loop.execute { self.flushAll(until: limit, fromSlot: next, whenDone) }
            return
        }
        loop.schedule(
            after: min(Self.flushStep, limit - loop.now),
            FlushStep(whenDropped: whenDone) { [self] in
                flushAll(until: limit, fromSlot: next, whenDone)
            })
    }

    private func endOfSweep(fromSlot slot: Int) -> Int {
        min(sessions.slotCount, slot + loop.configuration.closesPerTurnMax)
    }

    private func isWaiting(_ session: Session?) -> Bool {
        guard let session, session.connection?.isOpen ?? false else { return false }
        if session.outbox != nil || session.isBacklogged { return true }
        return session.subscriptions.contains { subscription in
            let part = part(at: subscription.slot)
            switch part.subscribers[Int(subscription.index)].cursor.state {
            case .live: return false
            case .waiting(let place): return place < part.window.end
            case .catchingUp: return true
            }
        }
    }
}

/// The next look at who still has something that waits; whoever waits for the end of it is told also
/// where the loop is shut down before.
private final class FlushStep: AwaitedTimerTarget {
    private let whenDropped: () -> Void
    private let body: () -> Void

    init(whenDropped: @escaping () -> Void, _ body: @escaping () -> Void) {
        self.whenDropped = whenDropped
        self.body = body
    }

    func timerFired(_ id: TimerID, on loop: EventLoop) { body() }

    func timerDropped() { whenDropped() }
}
