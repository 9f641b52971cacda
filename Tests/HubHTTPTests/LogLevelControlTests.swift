import HubHTTP
import Logging
import Synchronization
import Testing

@Suite("LogLevelControl")
struct LogLevelControlTests {
    private final class Lines: Sendable {
        let all = Mutex<[String]>([])
    }

    private struct Recording: LogHandler {
        let lines: Lines
        var metadata: Logger.Metadata = [:]
        var metadataProvider: Logger.MetadataProvider?
        var logLevel = Logger.Level.error

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let shown = metadata.map { "\($0.key)=\($0.value)" }.sorted().joined(separator: " ")
            lines.all.withLock { $0.append("\(event.level) \(event.message) \(shown)") }
        }
    }

    private let lines = Lines()
    private let control = LogLevelControl(.info)

    private func makeLogger() -> Logger {
        Logger(label: "test") { _ in control.handler(Recording(lines: lines)) }
    }

    @Test func `a change reaches loggers that are there`() {
        let logger = makeLogger()
        logger.debug("one")
        logger.info("two")
        control.level = .debug
        logger.debug("three")
        control.level = .critical
        logger.error("four")
        #expect(lines.all.withLock { $0 } == ["info two ", "debug three "])
    }

    @Test func `a logger with a level of its own keeps it, and others do not get it`() {
        var chatty = makeLogger()
        let other = chatty
        chatty.logLevel = .trace
        chatty.trace("one")
        other.trace("two")
        control.level = .error
        chatty.trace("three")
        #expect(chatty.logLevel == .trace && other.logLevel == .error)
        #expect(lines.all.withLock { $0 } == ["trace one ", "trace three "])
    }

    @Test func `metadata reaches the handler`() {
        var logger = makeLogger()
        logger[metadataKey: "session"] = "1"
        logger.info("one")
        #expect(logger[metadataKey: "session"] == "1")
        #expect(lines.all.withLock { $0 } == ["info one session=1"])
    }
}
