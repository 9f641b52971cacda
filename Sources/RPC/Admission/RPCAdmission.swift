/// Which calls a server runs, and which it refuses with ``StatusCode/resourceExhausted`` before they
/// cost anything.
///
/// Counts over all loops and connections of a server; ``RPCConfiguration/incomingCallsMax`` bounds
/// each connection beside it. Nothing is limited by default.
public struct RPCAdmission: Hashable, Sendable {
    /// The calls a second, of all shapes. Default `nil`: any number.
    public var rateLimit: RateLimit?
    /// The unary calls that run at once, by how long they take. Streams, which take as long as they
    /// like, and inline handlers, which never run at once, are not counted. Default `nil`: any number.
    public var concurrency: AdaptiveConcurrency?

    public init() {}
}

/// What a server's admission did so far; see ``RPCServer/admission``.
public struct RPCAdmissionSnapshot: Hashable, Sendable {
    /// Calls that run and count for ``RPCAdmission/concurrency``.
    public let inFlight: Int
    /// How many may; `nil` where that is not limited.
    public let concurrencyLimit: Int?
    /// Calls that were refused as too many came.
    public let refusedByRate: Int
    /// Calls that were refused as too many ran.
    public let refusedByConcurrency: Int
    /// Calls that were not run as their deadline had passed or their caller had given up before their
    /// turn came.
    public let shed: Int
}
