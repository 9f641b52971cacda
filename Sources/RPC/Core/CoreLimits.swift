/// The bounds a connection's core keeps, and its times.
struct CoreLimits: Hashable, Sendable {
    /// Calls of this side in flight; the peer's own bound may be lower.
    var outgoingMax = 1_024
    /// Calls of this side that wait for room; 0: they fail at once.
    var waitingMax = 1_024
    /// What the peer is told of this side: credit, the longest message, calls in flight.
    var settings = PeerSettings()
    /// Whether extensions are offered (client) and taken (server).
    var negotiates = true
    /// Silence after which a ping is sent, with calls in flight or not; `nil`: never.
    var pingInterval: Duration? = .seconds(20)
    /// How long a ping may stay without any sign of life.
    var pingTimeout: Duration = .seconds(10)
}

/// Which end of the connection a core is.
enum PeerRole: Hashable, Sendable {
    /// Connected, and calls with odd ids.
    case client
    /// Accepted, and calls with even ids where extensions are negotiated.
    case server
}
