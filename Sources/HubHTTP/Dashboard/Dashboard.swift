public import Hub
import Logging
import NetPoll
import Synchronization
import WSFrame
import WSTransport

/// A page that shows what a hub does: sessions, rates, queues, campaigns, slow sessions, topics, memory.
///
/// ```swift
/// let dashboard = Dashboard(keys: try APIKeys(lines: keys))
/// dashboard.install(in: &configuration)
/// let hub = HubServer(group: group, configuration: configuration, application: app, logger: logger)
/// dashboard.serve(hub)
/// ```
///
/// The page is at `/dashboard`. It holds nothing by itself, asks for a key, which it keeps for as long as
/// its tab is open, and fetches everything by requests with that key. <doc:UsingTheDashboard> says what it
/// shows. What it costs is bounded: all that look share one look a second at the sessions and topics, which
/// takes many turns of the loops. Any thread may use it.
public final class Dashboard: Sendable {
    /// Bounds of the dashboard.
    public struct Configuration: Hashable, Sendable {
        /// How often sessions and topics are looked at, at most. Default 0.9 s; the page asks once a
        /// second.
        public var interval = Duration.milliseconds(900)
        /// Slow sessions, topics, and campaigns, that are named. Default 20.
        public var namedMax = 20
        /// Sessions of one user that are watched at a time. Default 10.
        public var watchedMax = 10

        /// Creates the defaults.
        public init() {}
    }

    /// Where the page is.
    public static let path = "/dashboard"

    let configuration: Configuration
    let logLevel: LogLevelControl?
    private let keys: APIKeys
    private let campaigns: CampaignList?
    private let shelf: FigureShelf
    private let served = Mutex(Served())

    private struct Served {
        weak var hub: HubServer?
    }

    /// Creates a dashboard, which answers 503 until ``serve(_:)``.
    ///
    /// - Parameters:
    ///   - keys: Who may see and change what is there.
    ///   - api: Whose campaigns are shown; `nil`, the default, for none.
    ///   - logLevel: What the page may set; `nil`, the default, for nothing.
    ///   - configuration: Its bounds.
    public init(
        keys: APIKeys, campaignsOf api: PushAPI? = nil, logLevel: LogLevelControl? = nil,
        configuration: Configuration = .init()
    ) {
        precondition(configuration.namedMax > 0, "\(configuration.namedMax) named")
        precondition(configuration.watchedMax > 0, "\(configuration.watchedMax) watched")
        self.keys = keys
        campaigns = api?.campaigns
        self.logLevel = logLevel
        self.configuration = configuration
        shelf = FigureShelf(interval: configuration.interval)
    }

    /// Adds the page, and what it asks for, to what a hub answers. To be done before the hub is made.
    public func install(in hub: inout HubConfiguration) {
        hub.files.merge(DashboardPage.files) { $1 }
        var router = hub.routes ?? HTTPRouter()
        router.on(.get, Self.path + "/figures", responder(figures))
        router.on(.get, Self.path + "/sessions", responder(sessions))
        router.on(.post, Self.path + "/log-level", responder(setLogLevel))
        hub.routes = router
    }

    /// Tells it its hub, which is not kept alive by it.
    public func serve(_ hub: HubServer) {
        served.withLock { $0.hub = hub }
    }

    // MARK: - Requests

    private typealias Action = @Sendable (HTTPCall, HubServer) async throws -> HTTPResponse

    private func responder(_ action: @escaping Action) -> HTTPResponder {
        .byTask(bodyBytesMax: 1_024) { call in
            guard self.keys.admit(call.request) else {
                return APIFailure(.unauthorized, "a key is needed").response
            }
            guard let hub = self.served.withLock({ $0.hub }) else {
                return APIFailure.overloaded.response
            }
            do {
                return try await action(call, hub)
            } catch {
                return APIFailure(error).response
            }
        }
    }

    /// `GET figures`.
    @Sendable private func figures(_ call: HTTPCall, _ hub: HubServer) async throws -> HTTPResponse
    {
        let loop = hub.firstLoop
        let figures = await shelf.figures(at: loop.clockNow) { [configuration, campaigns] in
            let survey = await hub.survey(top: configuration.namedMax)
            let shown = campaigns.map { CampaignFigures($0, most: configuration.namedMax) }
            return DashboardFigures(of: hub, survey, shown, at: loop.clockNow)
        }
        var answer = JSONObject()
        try answer.set("figures", figures)
        try answer.set("logLevel", logLevel?.level.rawValue)
        return .json(answer)
    }

    /// `GET sessions`: one by its id, or those of a user.
    @Sendable private func sessions(_ call: HTTPCall, _ hub: HubServer) async throws -> HTTPResponse
    {
        let ids: [SessionID]
        if let user = call.request.queryValue("user") {
            ids = hub.sessions(of: user)
        } else if let id = call.request.queryValue("session").flatMap({ SessionID($0) }) {
            ids = [id]
        } else {
            throw APIFailure(.badRequest, "user or session is needed")
        }
        let views = await hub.watch(Array(ids.prefix(configuration.watchedMax)))
        var answer = JSONObject()
        try answer.set("count", ids.count)
        try answer.set("sessions", views.map { WatchedSession($0) })
        return .json(answer)
    }

    private struct LevelBody: Decodable {
        let level: String
    }

    private static func level(in json: [UInt8]) throws(APIFailure) -> Logger.Level {
        // What is wrong with it helps nobody: the page does not send such.
        let body = try? Payload(json, format: .json).decoded(as: LevelBody.self)
        guard let level = body.flatMap({ LogLevelControl.level(named: $0.level) }) else {
            throw APIFailure(.badRequest, "there is no such level")
        }
        return level
    }

    /// `POST log-level`.
    @Sendable private func setLogLevel(_ call: HTTPCall, _ hub: HubServer) async throws
        -> HTTPResponse
    {
        guard let logLevel else { throw APIFailure(.notFound, "the log level is not to be set") }
        let level = try Self.level(in: call.body)
        note(level, instead: logLevel.level, hub)
        logLevel.level = level
        var answer = JSONObject()
        try answer.set("logLevel", level.rawValue)
        return .json(answer)
    }

    /// Leaves a trace of the change, at a level that is logged before it.
    private func note(_ level: Logger.Level, instead before: Logger.Level, _ hub: HubServer) {
        guard level != before else { return }
        hub.logger.log(
            level: max(before, .notice), "log level set",
            metadata: ["level": "\(level)", "before": "\(before)"])
    }
}
