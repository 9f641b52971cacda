import Hub
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
    /// - Throws: `SystemError` where it cannot serve.
    func run(until stop: AsyncStream<Void>) async throws(SystemError) {
        raiseOpenFiles()
        var configuration = EventLoopGroup.Configuration()
        configuration.loops = settings.loops
        let group = try EventLoopGroup(configuration: configuration)
        let chat = Chat()
        let hub = HubServer(
            group: group,
            configuration: chat.configuration(connectionsMax: settings.connectionsMax),
            application: chat, logger: logger)
        let address = try await hub.listen(on: settings.address)
        logger.info(
            "listening", metadata: ["url": "http://\(address)/", "loops": "\(settings.loops)"])

        for await _ in stop {}
        logger.info("ending", metadata: ["sessions": "\(hub.sessionCount)"])
        await hub.drain(deadline: Self.drainDeadline)
        await group.shutdown()
        logger.info("ended")
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
