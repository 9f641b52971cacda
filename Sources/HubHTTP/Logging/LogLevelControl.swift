public import Logging
import Synchronization

/// Changes the log level of all loggers of a program while it runs.
///
/// ```swift
/// let level = LogLevelControl(.info)
/// LoggingSystem.bootstrap { level.handler(StreamLogHandler.standardError(label: $0)) }
/// ```
///
/// A logger whose own `logLevel` was set keeps that one. Any thread may use it.
public final class LogLevelControl: Sendable {
    private let current: Mutex<Logger.Level>

    /// - Parameter level: The level at first.
    public init(_ level: Logger.Level = .info) {
        current = Mutex(level)
    }

    /// The level in force.
    public var level: Logger.Level {
        get { current.withLock { $0 } }
        set { current.withLock { $0 = newValue } }
    }

    /// The level of that name; `nil` where there is none.
    static func level(named name: String) -> Logger.Level? {
        // Compared byte by byte: the name is a client's.
        Logger.Level.allCases.first { $0.rawValue.utf8.elementsEqual(name.utf8) }
    }

    /// A handler that writes by `handler` what the level lets through.
    public func handler(_ handler: any LogHandler) -> any LogHandler {
        ControlledLogHandler(handler: handler, control: self)
    }
}

private struct ControlledLogHandler: LogHandler {
    var handler: any LogHandler
    let control: LogLevelControl
    /// What was set for one logger.
    var own: Logger.Level?

    init(handler: any LogHandler, control: LogLevelControl) {
        self.handler = handler
        self.control = control
        // The level is asked for here.
        self.handler.logLevel = .trace
    }

    var logLevel: Logger.Level {
        get { own ?? control.level }
        set { own = newValue }
    }

    var metadata: Logger.Metadata {
        get { handler.metadata }
        set { handler.metadata = newValue }
    }

    var metadataProvider: Logger.MetadataProvider? {
        get { handler.metadataProvider }
        set { handler.metadataProvider = newValue }
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { handler[metadataKey: key] }
        set { handler[metadataKey: key] = newValue }
    }

    func log(event: LogEvent) { handler.log(event: event) }
}
