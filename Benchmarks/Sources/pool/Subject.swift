/// A pool under measurement, with 8 connections that are there already.
protocol Subject: Sendable {
    var name: String { get }

    /// Leases, says the moment it has the connection, lets another task run where it is to hold, and
    /// returns the connection.
    func cycle(holds: Bool) async throws -> ContinuousClock.Instant
}

/// What is pooled: nothing.
final class Link: Sendable {}
