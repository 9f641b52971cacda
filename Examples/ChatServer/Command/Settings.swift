import Logging
import NetPoll

/// What the program was asked to do.
struct Settings: Sendable {
    var address: SocketAddress
    var loops: Int
    var connectionsMax: Int
    var logLevel: Logger.Level
    /// The file that keeps the rooms' histories; `nil` for memory.
    var store: String?
    /// How large that file may become.
    var storeBytesMax: Int
    /// How old a message may become.
    var historyAge: Duration
    /// The file with the keys of the dashboard; `nil` for no dashboard.
    var dashboard: String?
    /// Where servers succeed each other; `nil` for nowhere.
    var handover: String?
}
