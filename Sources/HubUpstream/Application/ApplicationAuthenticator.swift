public import Hub
import RPC

/// Asks an application whether a client gets a session, and who it is.
///
/// ```swift
/// configuration.authenticator = ApplicationAuthenticator(application, after: tokens)
/// ```
///
/// Where there is another authenticator it goes first: whom it refuses the application is not asked about,
/// and whom it accepts the application may accept as found, accept as somebody else, or refuse.
public struct ApplicationAuthenticator: HubAuthenticator {
    /// What becomes of clients while the application does not answer.
    public enum AwayPolicy: Hashable, Sendable {
        /// They are refused as overloaded, and told to come again after so long at least.
        case refuse(retryAfter: Duration)
        /// They get what the authenticator before says alone; without one, sessions that are nobody's.
        case admit
    }

    private let application: RPCApplication
    private let first: (any HubAuthenticator)?
    private let whenAway: AwayPolicy

    /// - Parameters:
    ///   - application: Who is asked.
    ///   - first: Who decides before.
    ///   - whenAway: What becomes of clients while the application does not answer. Default: they are
    ///     refused, and told to come again after 5 s.
    public init(
        _ application: RPCApplication, after first: (any HubAuthenticator)? = nil,
        whenAway: AwayPolicy = .refuse(retryAfter: .seconds(5))
    ) {
        self.application = application
        self.first = first
        self.whenAway = whenAway
    }

    public func authenticate(_ credentials: Credentials) async -> Authentication {
        let found = await first?.authenticate(credentials) ?? Self.known(credentials)
        let identity: Identity?
        switch found {
        case .refused: return found
        case .anonymous: identity = nil
        case .accepted(let accepted): identity = accepted
        }
        do throws(RPCError) {
            let question = ConnectQuestion(credentials, identity: identity)
            switch try await application.client.call(
                UpstreamService.connect, question, options: application.options)
            {
            case .asFound: return found
            case .accepted(let identity): return .accepted(identity)
            case .refused(let refusal): return .refused(refusal)
            }
        } catch {
            return decided(error, found)
        }
    }

    /// Who a client is where nobody decides before: of a renewal, who it has been.
    private static func known(_ credentials: Credentials) -> Authentication {
        guard case .renewal(_, let identity?) = credentials.shown else { return .anonymous }
        return .accepted(identity)
    }

    /// When who was answered nonsense may ask again.
    private static let askAgain = Duration.seconds(5)

    /// What a call means that was not answered with an answer.
    private func decided(_ error: RPCError, _ found: Authentication) -> Authentication {
        if error.execution == .answered {
            switch error.code {
            case .unauthenticated:
                return .refused(AdmissionRefusal(.unauthenticated, error.message))
            case .permissionDenied:
                return .refused(AdmissionRefusal(.forbidden, error.message))
            case .resourceExhausted:
                return .refused(AdmissionRefusal(.tooMany, error.message))
            case .unavailable, .deadlineExceeded, .unimplemented:
                break
            default:
                // It is there, and has not said that the client may come in.
                return .refused(
                    AdmissionRefusal(
                        .overloaded, "the application's answer is none", retryAfter: Self.askAgain))
            }
        }
        switch whenAway {
        case .refuse(let delay):
            return .refused(
                AdmissionRefusal(.overloaded, "the application is away", retryAfter: delay))
        case .admit:
            return found
        }
    }
}
