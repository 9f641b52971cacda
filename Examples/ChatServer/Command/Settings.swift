import Logging
import NetPoll

/// What the program was asked to do.
struct Settings: Sendable {
    var address: SocketAddress
    var loops: Int
    var connectionsMax: Int
    var logLevel: Logger.Level
}
