public import CoreMetrics
public import Hub

/// Hands what a hub counts to swift-metrics, at moments of your choice.
///
/// Gauges tell what is now, counters grow by what was added since the last report.
public final class HubMetricsReport: Sendable {
    private let sessions: Gauge
    private let handshakes: Gauge
    private let users: Gauge
    private let topics: Gauge
    private let heldBytes: Gauge
    private let counters: TotalCounters
    private let totals: [@Sendable (TopicMetrics) -> UInt64]

    /// - Parameters:
    ///   - label: What the names of all metrics begin with.
    ///   - factory: Where the metrics are made; `nil`: the one that was bootstrapped.
    public init(label: String, factory: (any MetricsFactory)? = nil) {
        let factory = factory ?? MetricsSystem.factory
        func gauge(_ name: String) -> Gauge {
            Gauge(label: "\(label).\(name)", factory: factory)
        }
        sessions = gauge("sessions")
        handshakes = gauge("handshakes")
        users = gauge("users")
        topics = gauge("topics")
        heldBytes = gauge("held.bytes")
        let values: [(String, @Sendable (TopicMetrics) -> UInt64)] = [
            ("messages.published", { $0.published }), ("messages.refused", { $0.refused }),
            ("messages.delivered", { $0.delivered }), ("messages.caughtup", { $0.caughtUp }),
            ("messages.skipped", { $0.skipped }), ("messages.conflated", { $0.conflated }),
            ("messages.volatile.dropped", { $0.volatileDropped }), ("gaps", { $0.gaps }),
        ]
        counters = TotalCounters(
            values.map { Counter(label: "\(label).\($0.0)", factory: factory) })
        self.totals = values.map { $0.1 }
    }

    /// Reports what happened since the last report, and what is now.
    ///
    /// Complexity: O(topics).
    public func report(_ hub: HubServer) {
        let totals = hub.totals
        sessions.record(totals.sessions)
        handshakes.record(totals.handshakes)
        users.record(totals.users)
        topics.record(totals.topics)
        heldBytes.record(hub.heldBytes)
        counters.follow(self.totals.map { $0(totals.messages) })
    }
}
