import ArgumentParser
import Logging
import NetPoll

@main
struct ChatServer: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "chat-server",
        abstract: "A chat in the browser: rooms, presence and history over WebSockets.",
        discussion: """
            Serves its page at /, the chat at /ws, and its health at /healthz. Each option can also \
            be set by the environment variable named in its line; the option wins.

            Takes the sockets that a service manager passes in place of --host and --port, and tells \
            it when it is ready. Where another chat-server with the same --handover is started, it \
            passes its sockets to that one, and ends.

            SIGTERM or SIGINT lets it close every connection and end within 10 s; \
            a second signal ends it at once.

            Exit codes: 0 ended by a signal, 1 cannot serve (port in use, no permission, a store \
            that cannot be opened), 64 wrong option or variable.
            """)

    @Option(
        help: ArgumentHelp(
            "The numeric address to listen on; 0.0.0.0 or :: for all. (CHAT_HOST; default: 127.0.0.1)",
            valueName: "address"))
    var host: String?

    @Option(
        help: ArgumentHelp(
            "The port to listen on; 0 lets the system choose. (CHAT_PORT; default: 8080)",
            valueName: "port"))
    var port: String?

    @Option(
        help: ArgumentHelp(
            "Event loops, a thread each. (CHAT_LOOPS; default: one per core)", valueName: "number"))
    var loops: String?

    @Option(
        help: ArgumentHelp(
            "Clients at once; more are refused. (CHAT_MAX_CONNECTIONS; default: 20000)",
            valueName: "number"))
    var maxConnections: String?

    @Option(
        help: ArgumentHelp(
            "trace, debug, info, notice, warning, error or critical. (CHAT_LOG_LEVEL; default: info)",
            valueName: "level"))
    var logLevel: String?

    @Option(
        help: ArgumentHelp(
            "Keep histories in this SQLite file, and what clients come back by in PATH.key, so that both outlive the program. (CHAT_STORE; default: memory)",
            valueName: "path"))
    var store: String?

    @Option(
        help: ArgumentHelp(
            "How large the store's file may become, in MiB; when it is, nothing more can be said until old messages go. (CHAT_STORE_MAX; default: 1024)",
            valueName: "number"))
    var storeMax: String?

    @Option(
        help: ArgumentHelp(
            "For how many days a message is kept at the most. (CHAT_HISTORY_DAYS; default: 30)",
            valueName: "number"))
    var historyDays: String?

    @Option(
        help: ArgumentHelp(
            "Show what the server does at /dashboard, to those with a key of this file: one a line, each of at least 16 bytes. (CHAT_DASHBOARD; default: no dashboard)",
            valueName: "path"))
    var dashboard: String?

    @Option(
        help: ArgumentHelp(
            "Where servers succeed each other: a Unix socket's path that nobody else may write. (CHAT_HANDOVER; default: nowhere)",
            valueName: "path"))
    var handover: String?

    static func main() {
        StopSignals.hold()
        let settings = parsedSettings()
        let (stop, signals) = AsyncStream<Void>.makeStream()
        Task.detached {
            do {
                try await Server(settings).run(until: stop)
                Ending.succeed()
            } catch let error as SettingError {
                Ending.fail(error.message, code: Ending.failure)
            } catch {
                Ending.fail("\(error)", code: Ending.failure)
            }
        }
        // The main thread has nothing else to do.
        _ = StopSignals.wait()
        signals.finish()
        Ending.obey(signal: StopSignals.wait())
    }

    private static func parsedSettings() -> Settings {
        do {
            return try settings(of: nil)
        } catch let error as SettingError {
            Ending.fail(error.message, code: Ending.usage)
        } catch {
            let code = exitCode(for: error)
            guard !code.isSuccess else { exit(withError: error) }
            Ending.fail("\(message(for: error)) See chat-server --help.", code: code.rawValue)
        }
    }

    /// What arguments say, or those of the program.
    static func settings(of arguments: [String]?) throws -> Settings {
        try parse(arguments).settings()
    }

    /// What to do, from options, environment and defaults.
    func settings() throws(SettingError) -> Settings {
        let port = Setting("--port", "CHAT_PORT", in: 0...65_535, default: 8_080)
        let loops = Setting(
            "--loops", "CHAT_LOOPS", in: 1...256, default: EventLoopGroup.Configuration().loops)
        let connectionsMax = Setting(
            "--max-connections", "CHAT_MAX_CONNECTIONS", in: 1...10_000_000, default: 20_000)
        let storeMiBMax = Setting(
            "--store-max", "CHAT_STORE_MAX", in: 1...1_048_576, default: 1_024)
        let historyDays = Setting(
            "--history-days", "CHAT_HISTORY_DAYS", in: 1...36_500, default: 30)
        let logLevel = Setting(
            option: "--log-level", variable: "CHAT_LOG_LEVEL",
            rule: "trace, debug, info, notice, warning, error or critical",
            parse: { Logger.Level(rawValue: $0) }, fallback: .info)
        let host = Setting(
            option: "--host", variable: "CHAT_HOST", rule: "a numeric IPv4 or IPv6 address",
            parse: { Self.address(host: $0) }, fallback: .v4(UInt32(0x7f00_0001).bigEndian, port: 0)
        )
        return Settings(
            address: try host.value(self.host).with(port: UInt16(try port.value(self.port))),
            loops: try loops.value(self.loops),
            connectionsMax: try connectionsMax.value(maxConnections),
            logLevel: try logLevel.value(self.logLevel),
            store: try Self.path("--store", "CHAT_STORE").value(store),
            storeBytesMax: try storeMiBMax.value(storeMax) << 20,
            historyAge: .seconds(86_400 * (try historyDays.value(self.historyDays))),
            dashboard: try Self.path("--dashboard", "CHAT_DASHBOARD").value(dashboard),
            handover: try Self.path("--handover", "CHAT_HANDOVER").value(handover))
    }

    private static func path(_ option: String, _ variable: String) -> Setting<String?> {
        Setting(
            option: option, variable: variable, rule: "a path", parse: { .some($0) }, fallback: nil)
    }

    private static func address(host: String) -> SocketAddress? {
        do throws(SocketAddressError) {
            return try SocketAddress(host: host, port: 0)
        } catch {
            return nil
        }
    }
}
