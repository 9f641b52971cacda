public import ConnPool

/// What an ``RPCClient`` holds and did, at one moment.
public struct RPCClientSnapshot: Hashable, Sendable {
    /// Calls in flight, those that wait for a connection included.
    public let inFlight: Int
    /// Calls that wait as too many are in flight.
    public let waiting: Int
    /// Calls that failed so far as too many were in flight and waited.
    public let refused: Int
    /// Attempts so far beyond the first of each call.
    public let retries: Int
    /// Attempts so far that were made while another one ran.
    public let hedges: Int
    /// What is left of the budget for both, from 0 to 1; nothing more is repeated at one half.
    public let budget: Double
    /// Whether ``RPCClientConfiguration/breaker`` keeps calls back.
    public let isBroken: Bool
    /// Connections and endpoints.
    public let pool: EndpointPoolSnapshot
}
