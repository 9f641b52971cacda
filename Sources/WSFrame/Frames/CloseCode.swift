/// Why a connection was closed (RFC 6455 §7.4 and the IANA registry).
public struct CloseCode: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
    /// 1000: the purpose is fulfilled.
    public static let normal = CloseCode(rawValue: 1000)
    /// 1001: the server goes down or the page is left.
    public static let goingAway = CloseCode(rawValue: 1001)
    /// 1002: the peer broke the protocol.
    public static let protocolError = CloseCode(rawValue: 1002)
    /// 1003: the kind of message is not accepted here.
    public static let unsupportedData = CloseCode(rawValue: 1003)
    /// 1005: stands for a close frame without a code; never on the wire.
    public static let noStatus = CloseCode(rawValue: 1005)
    /// 1006: stands for a connection lost without a close frame; never on the wire.
    public static let abnormal = CloseCode(rawValue: 1006)
    /// 1007: text that is not UTF-8.
    public static let invalidPayload = CloseCode(rawValue: 1007)
    /// 1008: refused by policy.
    public static let policyViolation = CloseCode(rawValue: 1008)
    /// 1009: the message is too big to process.
    public static let messageTooBig = CloseCode(rawValue: 1009)
    /// 1010: the server did not agree to an extension the client needs.
    public static let mandatoryExtension = CloseCode(rawValue: 1010)
    /// 1011: the server met an unexpected condition.
    public static let internalError = CloseCode(rawValue: 1011)
    /// 1012: the service restarts.
    public static let serviceRestart = CloseCode(rawValue: 1012)
    /// 1013: try again later.
    public static let tryAgainLater = CloseCode(rawValue: 1013)
    /// 1014: a gateway got an invalid answer upstream.
    public static let badGateway = CloseCode(rawValue: 1014)
    /// 1015: stands for a failed TLS handshake; never on the wire.
    public static let tlsHandshake = CloseCode(rawValue: 1015)

    public let rawValue: UInt16

    public init(rawValue: UInt16) {
        self.rawValue = rawValue
    }

    /// Whether the code may stand in a close frame (RFC 6455 §7.4.1, §7.4.2).
    ///
    /// That is 1000–1014 without the reserved 1004, 1005 and 1006, and 3000–4999
    /// (registered and private codes).
    public var isValidOnWire: Bool {
        switch rawValue {
        case 1000...1003, 1007...1014, 3000...4999: true
        default: false
        }
    }

    public var description: String { String(rawValue) }
}
