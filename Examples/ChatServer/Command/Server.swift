import Hub
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

    init(_ settings: Settings) {
        self.settings = settings
        LoggingSystem.bootstrap { StreamLogHandler.standardError(label: $0) }
        var logger = Logger(label: "chat")
        logger.logLevel = settings.logLevel
        self.logger = logger
    }

    /// Serves until `stop` ends, then lets everybody leave.
    ///
    /// - Throws: `SystemError` where it cannot serve, ``SettingError`` where it cannot use its store.
    func run(until stop: AsyncStream<Void>) async throws {
        raiseOpenFiles()
        var configuration = EventLoopGroup.Configuration()
        configuration.loops = settings.loops
        let group = try EventLoopGroup(configuration: configuration)
        let chat = Chat()
        let (store, key) = try openStore()
        let hub = HubServer(
            group: group,
            configuration: chat.configuration(
                connectionsMax: settings.connectionsMax, store: store, key: key),
            application: chat, logger: logger)
        chat.attach(to: hub)
        let address = try await hub.listen(on: settings.address)
        logger.info(
            "listening", metadata: ["url": "http://\(address)/", "loops": "\(settings.loops)"])

        for await _ in stop {}
        logger.info("ending", metadata: ["sessions": "\(hub.sessionCount)"])
        await hub.drain(deadline: Self.drainDeadline)
        await store.close()
        await group.shutdown()
        logger.info("ended")
    }

    private func openStore() throws(SettingError) -> (any MessageStore, ResumeKey) {
        guard let path = settings.store else { return (MemoryMessageStore(), .random()) }
        let key = try KeyFile.key(at: path + ".key")
        do throws(StoreError) {
            return (try SQLiteMessageStore(path: path), key)
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
