import Hub
import NetPoll
import WSFrame
import WSTransport

/// Lets everyone do everything.
final class Everyone: HubApplication {
    func admit(_ request: HTTPRequest, from address: SocketAddress, to hub: HubServer) -> Admission
    {
        .accept(Silent())
    }

    func authorize(_ action: ClientAction, by session: Session) -> Permission { .allow }

    private final class Silent: SessionHandler {
        func began(_ session: Session) {}

        func received(_ message: RawSpan, kind: MessageKind, from session: Session) {}

        func ended(_ session: Session, reason: WebSocketCloseReason) {}
    }
}
