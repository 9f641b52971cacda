import Synchronization

/// What to do with messages of each event.
final class EventRouter: Sendable {
    /// What answers a request; called back once, on the session's loop.
    typealias Answer = (Result<Payload, any Error>) -> Void

    enum Route: Sendable {
        case message(@Sendable (HubMessage, Session) throws -> Void)
        case request(@Sendable (HubMessage, Session, @escaping Answer) -> Void)
    }

    private let routes = Mutex<[ExactName: Route]>([:])

    func set(_ event: String, _ route: Route) {
        routes.withLock { $0[ExactName(event)] = route }
    }

    func route(for event: String) -> Route? {
        routes.withLock { $0[ExactName(event)] }
    }
}
