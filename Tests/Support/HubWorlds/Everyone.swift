package import Hub
package import NetPoll
package import WSFrame
import WSTransport

/// Lets everyone do everything.
package final class Everyone: HubApplication {
    package init() {}

    package func admit(
        _ request: HTTPRequest, from address: SocketAddress, to hub: HubServer
    ) -> Admission {
        .accept(Silent())
    }

    package func authorize(_ action: ClientAction, by session: Session) -> Permission { .allow }

    private final class Silent: SessionHandler {
        func began(_ session: Session) {}

        func received(_ message: RawSpan, kind: MessageKind, from session: Session) {}

        func ended(_ session: Session, reason: WebSocketCloseReason) {}
    }
}

/// Believes clients who their query says they are: `?user=…&device=…`.
package struct QueryNames: HubAuthenticator {
    package init() {}

    package func authenticate(_ credentials: Credentials) async -> Authentication {
        guard case .request(let request) = credentials.shown,
            let user = request.queryValue("user")
        else { return .anonymous }
        return .accepted(Identity(user: user, device: request.queryValue("device")))
    }
}
