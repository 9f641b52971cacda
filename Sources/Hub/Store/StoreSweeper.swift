import Logging
import NetPoll

/// Has a store remove what has expired, once per ``HubConfiguration/storeSweepInterval``.
///
/// It ends with the registry of the hub that it belongs to.
final class StoreSweeper: TimerTarget, Sendable {
    private let store: any MessageStore
    private let calendar: @Sendable () -> Timestamp
    private let interval: Duration
    private weak let registry: TopicRegistry?
    private let logger: Logger

    /// `nil` where the hub does not sweep.
    init?(_ configuration: HubConfiguration, of registry: TopicRegistry, logger: Logger) {
        guard let interval = configuration.storeSweepInterval else { return nil }
        self.interval = interval
        store = configuration.store
        calendar = configuration.calendar
        self.registry = registry
        self.logger = logger
    }

    func schedule(on loop: EventLoop) {
        loop.schedule(after: interval, self)
    }

    func timerFired(_ id: TimerID, on loop: EventLoop) {
        guard registry != nil else { return }
        Task(executorPreference: loop) {
            do throws(StoreError) {
                let count = try await self.store.removeExpired(at: self.calendar())
                if count > 0 {
                    self.logger.debug("messages expired", metadata: ["count": "\(count)"])
                }
            } catch {
                self.logger.warning("the store was not swept", metadata: ["error": "\(error)"])
            }
            // The next one is due when this one is over, however long it took.
            loop.execute { self.schedule(on: loop) }
        }
    }
}
