public import ServiceLifecycle

/// Closes something when a program's services shut down, such as a store, or another server; see
/// ``HubService``.
public struct ClosingService: Service {
    private let close: @Sendable () async -> Void

    /// Creates a service that has not begun.
    ///
    /// - Parameter close: Called once, when the services that come after this one have ended; also where
    ///   the service is cancelled.
    public init(_ close: @escaping @Sendable () async -> Void) {
        self.close = close
    }

    /// Waits until the services shut down, and closes.
    public func run() async throws {
        await shutdownBegins()
        await close()
    }
}

/// Returns when the services shut down, or the task is cancelled.
@Sendable func shutdownBegins() async {
    do {
        try await gracefulShutdown()
    } catch {
        // Cancelled: it ends all the same.
    }
}
