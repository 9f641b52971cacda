import NetPoll

/// Lets a registry forget unused topics, a few times per idle timeout, and a bounded number of them in a turn.
///
/// It ends with the registry that it sweeps.
final class TopicSweeper: Sendable {
    /// Topics that one turn looks at.
    static let topicsPerTurn = 512

    private weak let registry: TopicRegistry?
    private let interval: Duration

    init(registry: TopicRegistry, interval: Duration) {
        self.registry = registry
        self.interval = interval / TopicRegistry.sweepsUntilForgotten
    }

    func schedule(on loop: EventLoop) {
        loop.schedule(after: interval, SweepStep(self, names: nil))
    }

    /// Looks at the first of `names`, all topics' where a sweep begins, and goes on in a turn to come.
    fileprivate func sweep(_ names: ArraySlice<ExactName>?, on loop: EventLoop) {
        guard let registry else { return }
        let names = names ?? registry.names[...]
        registry.sweep(names.prefix(Self.topicsPerTurn))
        let rest = names.dropFirst(Self.topicsPerTurn)
        guard !rest.isEmpty else { return schedule(on: loop) }
        loop.schedule(after: .milliseconds(1), SweepStep(self, names: rest))
    }
}

/// One turn's part of a sweep.
private final class SweepStep: TimerTarget {
    private let sweeper: TopicSweeper
    private let names: ArraySlice<ExactName>?

    init(_ sweeper: TopicSweeper, names: ArraySlice<ExactName>?) {
        self.sweeper = sweeper
        self.names = names
    }

    func timerFired(_ id: TimerID, on loop: EventLoop) {
        sweeper.sweep(names, on: loop)
    }
}
