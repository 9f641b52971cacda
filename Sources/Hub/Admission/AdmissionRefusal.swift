internal import NetPoll
public import WSFrame

/// Why a client gets no session, or loses the one it has.
public struct AdmissionRefusal: Error, Hashable, Sendable {
    /// What stands against it.
    public enum Reason: Hashable, Sendable, CaseIterable {
        /// It did not show who it is, or what it showed is not valid. Status 401, close code 4401.
        case unauthenticated
        /// Its credentials have expired: it may come again with new ones. Status 401, close code 4419.
        case credentialsExpired
        /// It may not. Status 403, close code 4403.
        case forbidden
        /// Its address or its user has as many sessions as one may, or it sends too fast. Status 429,
        /// close code 4429.
        case tooMany
        /// The hub takes nobody now, because too many come at once or memory is short. Status 503, close
        /// code 1013.
        case overloaded
        /// The hub goes away. Status 503, close code 1001.
        case draining
    }

    /// What stands against it.
    public let reason: Reason
    /// For people.
    public let text: String
    /// When to try again; `nil` where that is of no use, or nothing is known.
    public let retryAfter: Duration?

    /// Creates a refusal.
    public init(_ reason: Reason, _ text: String = "", retryAfter: Duration? = nil) {
        self.reason = reason
        self.text = text
        self.retryAfter = retryAfter
    }

    /// The answer to a request for a session; `Retry-After` is in whole seconds, rounded up.
    public var response: HTTPResponse {
        let words = text.isEmpty ? "\(status)" : text
        var response = HTTPResponse(status: status, text: "\(words)\n")
        if status == .unauthorized {
            response.headers.append(HTTPHeader("WWW-Authenticate", "Bearer"))
        }
        if let retryAfter {
            let seconds = max(1, (retryAfter + .milliseconds(999)).components.seconds)
            do {
                response.headers.append(
                    try HTTPHeader(name: "Retry-After", value: "\(seconds)"))
            } catch {
                preconditionFailure("digits are no header value: \(error)")
            }
        }
        return response
    }

    private var status: HTTPStatus {
        switch reason {
        case .unauthenticated, .credentialsExpired: .unauthorized
        case .forbidden: .forbidden
        case .tooMany: .tooManyRequests
        case .overloaded, .draining: .serviceUnavailable
        }
    }

    /// The code to close a session with.
    public var closeCode: CloseCode {
        switch reason {
        case .unauthenticated: .unauthenticated
        case .credentialsExpired: .credentialsExpired
        case .forbidden: .forbidden
        case .tooMany: .tooMany
        case .overloaded: .tryAgainLater
        case .draining: .goingAway
        }
    }

    /// The reason to close a session with: ``text``, behind ``RetryHint`` where there is one.
    public var closeReason: String {
        retryAfter.map { RetryHint($0).closeReason(text) } ?? text
    }
}

extension CloseCode {
    /// 4401: the client did not show who it is.
    public static let unauthenticated = CloseCode(rawValue: 4_401)
    /// 4403: the client may not.
    public static let forbidden = CloseCode(rawValue: 4_403)
    /// 4419: the session's credentials have expired; connect again with new ones.
    public static let credentialsExpired = CloseCode(rawValue: 4_419)
    /// 4429: too many sessions of one address or user, or messages too fast.
    public static let tooMany = CloseCode(rawValue: 4_429)
}

/// When a client shall try again, as the reason of a close frame tells it: `retry-after=1500;` and
/// words for people, in milliseconds.
public struct RetryHint: Hashable, Sendable {
    private static let prefix = "retry-after="

    /// How long to wait.
    public let delay: Duration

    /// Creates a hint.
    public init(_ delay: Duration) {
        self.delay = delay
    }

    /// Reads what ``closeReason(_:)`` wrote; `nil` where that says nothing of it.
    public init?(closeReason: String) {
        guard closeReason.hasPrefix(Self.prefix) else { return nil }
        let digits = closeReason.dropFirst(Self.prefix.count).prefix { $0 != ";" }
        guard let milliseconds = UInt32(digits) else { return nil }
        delay = .milliseconds(Int64(milliseconds))
    }

    /// The reason of a close frame; the words are cut to what fits.
    public func closeReason(_ words: String = "") -> String {
        let milliseconds = min(max(0, delay / .milliseconds(1)), Double(UInt32.max))
        let hint = "\(Self.prefix)\(UInt32(milliseconds));"
        var room = CloseCode.reasonBytesMax - hint.utf8.count
        return hint
            + words.prefix { character in
                room -= character.utf8.count
                return room >= 0
            }
    }

    /// A delay between `shortest` and one and a half times as long, so that those who were sent away
    /// together do not come back together.
    static func jittered(_ shortest: Duration, on loop: EventLoop) -> Duration {
        var random = loop.random
        return shortest + shortest * Double.random(in: 0...0.5, using: &random)
    }
}

extension CloseCode {
    /// Bytes of a close frame's reason (RFC 6455 §5.5).
    fileprivate static var reasonBytesMax: Int { 123 }
}
