import Hub
import HubHTTP
import HubSQLite
import HubTokens
import Logging
import NetPoll

/// Runs the chat from its start to the signal that ends it.
struct Server {
    /// How long clients have to leave when the server ends.
    private static let drainDeadline = Duration.seconds(10)

    private let settings: Settings
    private let logger: Logger
    private let level: LogLevelControl

    init(_ settings: Settings) {
        self.settings = settings
        let level = LogLevelControl(settings.logLevel)
        LoggingSystem.bootstrap { level.handler(StreamLogHandler.standardError(label: $0)) }
        self.level = level
        logger = Logger(label: "chat")
    }

    /// Serves until `stop` ends, then lets everybody leave.
    ///
    /// - Throws: `SystemError` where it cannot serve, ``SettingError`` where it cannot use its store.
    func run(until stop: AsyncStream<Void>) async throws {
        raiseOpenFiles()
        let activated = try SocketActivation.takeDescriptors()
        var configuration = EventLoopGroup.Configuration()
        configuration.loops = settings.loops
        let group = try EventLoopGroup(configuration: configuration)
        let chat = Chat()
        let dashboard = try dashboard()
        // A predecessor has its store to itself until it is done.
        let sockets = try await HubSockets.take(
            activated, handover: settings.handover, on: group)
        let (store, key) = try openStore()
        var limits = chat.configuration(
            connectionsMax: settings.connectionsMax, store: store, key: key,
            historyAge: settings.historyAge)
        dashboard?.install(in: &limits)
        let hub = HubServer(
            group: group, configuration: limits, application: chat, logger: logger)
        chat.attach(to: hub)
        dashboard?.serve(hub)
        let address = try await sockets.listen(hub, on: settings.address)
        logger.info(
            "listening", metadata: ["url": "http://\(address)/", "loops": "\(settings.loops)"])

        let isSucceeded = await sockets.serve(hub, drainingWithin: Self.drainDeadline) {
            for await _ in stop {}
            let totals = hub.totals
            logger.info(
                "ending",
                metadata: [
                    "sessions": "\(totals.sessions)",
                    "handshakesPeak": "\(totals.handshakesPeak)",
                ])
        }
        if isSucceeded { logger.info("succeeded by another") }
        await store.close()
        await sockets.letGo()
        await group.shutdown()
        logger.info("ended")
    }

    private func dashboard() throws(SettingError) -> Dashboard? {
        guard let path = settings.dashboard else { return nil }
        guard let lines = Environment.text(ofFile: path) else {
            throw SettingError(message: "cannot read \(path)")
        }
        do throws(APIKeyError) {
            return Dashboard(keys: try APIKeys(lines: lines), logLevel: level)
        } catch {
            throw SettingError(message: "\(path): \(error)")
        }
    }

    private func openStore() throws(SettingError) -> (any MessageStore, ResumeKey) {
        guard let path = settings.store else { return (MemoryMessageStore(), .random()) }
        let key = try KeyFile.key(at: path + ".key")
        var configuration = SQLiteMessageStore.Configuration()
        configuration.fileBytesMax = settings.storeBytesMax
        do throws(StoreError) {
            return (try SQLiteMessageStore(path: path, configuration: configuration), key)
        } catch {
            throw SettingError(message: "cannot open \(path): \(error)")
        }
    }

    /// Every connection is an open file.
    private func raiseOpenFiles() {
        let (before, after) = OpenFiles.raiseLimit()
        logger.info("open files", metadata: ["limit": "\(after)", "before": "\(before)"])
        if after < UInt64(settings.connectionsMax) {
            logger.warning(
                "fewer open files than connections",
                metadata: ["files": "\(after)", "connections": "\(settings.connectionsMax)"])
        }
    }
}
