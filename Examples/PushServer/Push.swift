import Hub
import HubHTTP
import NetPoll
import PushWire
import WSFrame
import WSTransport

/// Lets devices in that are somebody's, and says nothing to them by itself: the API does.
final class Push: HubApplication {
    private let trustsNames: Bool

    init(trustsNames: Bool) {
        self.trustsNames = trustsNames
    }

    /// What the server is but for its store and its devices' credentials.
    static func configuration(routes api: PushAPI) -> HubConfiguration {
        var configuration = HubConfiguration()
        configuration.protocols = [DeviceProtocol()]
        // Programs and devices are no pages of this server.
        configuration.origins = .any
        configuration.routes = api.router
        configuration.inbox = InboxPolicy()
        configuration.sessionRate = SessionRate()
        configuration.sessionRate?.messagesPerSecond = 200
        configuration.sessionRate?.messagesBurst = 2_000
        return configuration
    }

    func admit(_ request: HTTPRequest, from address: SocketAddress, to hub: HubServer) -> Admission
    {
        .accept(Device())
    }

    /// Tokens name the topics of their devices; who is just believed may hear all.
    func authorize(_ action: ClientAction, by session: Session) -> Permission {
        switch action {
        case .subscribe, .members, .history:
            trustsNames ? .allow : .deny("the token does not name the topic")
        default:
            .deny("devices listen")
        }
    }
}

/// One device's connection; what it acknowledges the hub takes care of.
private final class Device: SessionHandler {
    func began(_ session: Session) {}

    func received(_ message: RawSpan, kind: MessageKind, from session: Session) {}
}

/// Believes devices who they say they are: `?user=…&device=…`.
struct TrustedNames: HubAuthenticator {
    func authenticate(_ credentials: Credentials) async -> Authentication {
        guard case .request(let request) = credentials.shown,
            let user = request.queryValue("user"), !user.isEmpty
        else {
            return .refused(AdmissionRefusal(.unauthenticated, "user is needed"))
        }
        return .accepted(Identity(user: user, device: request.queryValue("device")))
    }
}
