import NetPoll

/// Lets a registry forget unused topics, a few times per idle timeout.
///
/// It ends with the registry that it sweeps.
final class TopicSweeper: TimerTarget, Sendable {
    private weak let registry: TopicRegistry?
    private let interval: Duration

    init(registry: TopicRegistry, interval: Duration) {
        self.registry = registry
        self.interval = interval / TopicRegistry.sweepsUntilForgotten
    }

    func schedule(on loop: EventLoop) {
        loop.schedule(after: interval, self)
    }

    func timerFired(_ id: TimerID, on loop: EventLoop) {
        guard let registry else { return }
        registry.sweep()
        for topic in registry.topics { topic.giveWay() }
        schedule(on: loop)
    }
}
