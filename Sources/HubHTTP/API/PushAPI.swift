public import Hub
public import PrometheusText
import Synchronization
import WSFrame
public import WSTransport

/// Lets other programs use a hub by HTTP: publish, send to users, run campaigns, ask who is there.
///
/// ```swift
/// let api = PushAPI(keys: try APIKeys(lines: keys))
/// configuration.routes = api.router
/// let hub = HubServer(group: group, configuration: configuration, application: app, logger: logger)
/// api.serve(hub)
/// ```
///
/// Requests and answers are JSON; every request has a key (``APIKeys``). <doc:UsingTheAPI> has them all.
/// Any thread may use it.
public final class PushAPI: Sendable {
    /// Bounds of the API.
    public struct Configuration: Hashable, Sendable {
        /// The longest body of a request; beyond, 413. Default 1 MiB.
        public var bodyBytesMax = 1 << 20
        /// Campaigns that are remembered, those that have ended among them; where all of them still run,
        /// a further one is answered 429. Default 1,000.
        public var campaignsMax = 1_000
        /// Messages of a history, or users of a presence, that one answer holds at most. Default 1,000.
        public var itemsMax = 1_000
        /// Messages a second of a campaign at most. Default 100,000.
        public var campaignRateMax = 100_000
        /// The longest name of a topic, user, device or event, and the longest `key` and
        /// `idempotency_key`: 256 bytes, more than which clients do not read; beyond, 400.
        public static let nameBytesMax = 256

        /// Creates the defaults.
        public init() {}
    }

    let configuration: Configuration
    let campaigns: CampaignList
    /// Who may use it.
    package let keys: APIKeys
    private let metrics: PrometheusMetrics?
    private let report: HubMetricsReport?
    private let served = Mutex(Served())

    private struct Served {
        weak var hub: HubServer?
        var reports: [@Sendable () -> Void] = []
    }

    /// Creates an API, which answers 503 until ``serve(_:)``.
    ///
    /// - Parameters:
    ///   - keys: Who may use it.
    ///   - configuration: Its bounds.
    ///   - metrics: What `/metrics` tells beside the hub's own; `nil` for no such path.
    public init(
        keys: APIKeys, configuration: Configuration = .init(), metrics: PrometheusMetrics? = nil
    ) {
        precondition(configuration.itemsMax > 0, "\(configuration.itemsMax) items")
        self.keys = keys
        self.configuration = configuration
        self.metrics = metrics
        report = metrics.map { HubMetricsReport(label: "hub", factory: $0) }
        campaigns = CampaignList(campaignsMax: configuration.campaignsMax)
    }

    /// Tells it its hub, which is not kept alive by it.
    public func serve(_ hub: HubServer) {
        served.withLock { $0.hub = hub }
    }

    /// Lets others report to the metrics, too.
    ///
    /// - Parameter report: Called before each answer of `/metrics`, on any thread.
    public func onMetrics(_ report: @escaping @Sendable () -> Void) {
        served.withLock { $0.reports.append(report) }
    }

    /// What to answer at which path: `/api/v1/…`, and `/metrics` where there are metrics.
    public var router: HTTPRouter {
        var router = HTTPRouter()
        let posts: [(String, Action)] = [
            ("publish", publish), ("send", send), ("broadcast", broadcast),
            ("campaigns", beginCampaign), ("kick", kick),
            ("campaigns/:id/pause", { try self.steer($0) { $0.pause() } }),
            ("campaigns/:id/resume", { try self.steer($0) { $0.resume() } }),
            ("campaigns/:id/cancel", { try self.steer($0) { $0.cancel() } }),
        ]
        for (path, action) in posts { router.on(.post, "/api/v1/\(path)", responder(action)) }
        let gets: [(String, Action)] = [
            ("presence", presence), ("history", history), ("sessions", sessions),
            ("campaigns/:id", { try self.steer($0) { _ in } }),
        ]
        for (path, action) in gets { router.on(.get, "/api/v1/\(path)", responder(action)) }
        if metrics != nil {
            router.on(.get, "/metrics", responder { try self.metricsText($0) })
        }
        return router
    }

    // MARK: - Requests

    /// A request that has a key, and the hub that it is for.
    struct Request: Sendable {
        let call: HTTPCall
        let hub: HubServer

        /// A number of the query within `range`; `nil` where it has none of that name.
        func number(_ name: String, in range: ClosedRange<UInt64>) throws -> UInt64? {
            guard let text = call.request.queryValue(name) else { return nil }
            guard let number = UInt64(text), range.contains(number) else {
                throw APIFailure(
                    .badRequest,
                    "\(name) has to be from \(range.lowerBound) to \(range.upperBound)")
            }
            return number
        }
    }

    /// What carries out what a request asks.
    func commands(_ request: Request) -> HubCommands { commands(on: request.hub) }

    private func commands(on hub: HubServer) -> HubCommands {
        HubCommands(hub: hub, configuration: configuration, campaigns: campaigns)
    }

    /// What carries out commands that come by another way than HTTP; `nil` while there is no hub.
    package var commands: HubCommands? { served.withLock { $0.hub }.map { commands(on: $0) } }

    typealias Action = @Sendable (Request) async throws -> HTTPResponse

    private func responder(_ action: @escaping Action) -> HTTPResponder {
        .byTask(bodyBytesMax: configuration.bodyBytesMax) { call in
            guard self.keys.admit(call.request) else {
                return APIFailure(.unauthorized, "a key is needed").response
            }
            guard let hub = self.served.withLock({ $0.hub }) else {
                return APIFailure.overloaded.response
            }
            do {
                return try await action(Request(call: call, hub: hub))
            } catch {
                return APIFailure(error).response
            }
        }
    }

    private func metricsText(_ request: Request) throws -> HTTPResponse {
        guard let metrics, let report else { throw APIFailure(.notFound, "no metrics") }
        report.report(request.hub)
        for report in served.withLock({ $0.reports }) { report() }
        return HTTPResponse(
            status: .ok, headers: [HTTPHeader("Content-Type", PrometheusMetrics.contentType)],
            body: metrics.text())
    }
}
