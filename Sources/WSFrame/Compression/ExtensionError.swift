/// An answer about extensions that a client must not accept (RFC 6455 §9.1, RFC 7692 §5.1, §7.1).
public struct ExtensionError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The rule that was broken.
    public enum Reason: Hashable, Sendable {
        /// The header is not a list of extensions with parameters.
        case malformed
        /// `permessage-deflate` is there twice.
        case duplicateExtension
        /// A parameter that `permessage-deflate` does not have.
        case unknownParameter
        /// A parameter is there twice.
        case duplicateParameter
        /// A value where none may be, none where one must be, or not 8 to 15.
        case invalidValue
        /// What was asked for is not granted, or more is taken than was offered.
        case notAsOffered
    }

    public let reason: Reason

    public init(_ reason: Reason) {
        self.reason = reason
    }

    public var description: String {
        switch reason {
        case .malformed: "Sec-WebSocket-Extensions is malformed"
        case .duplicateExtension: "permessage-deflate is there twice"
        case .unknownParameter: "unknown parameter of permessage-deflate"
        case .duplicateParameter: "a parameter of permessage-deflate is there twice"
        case .invalidValue: "invalid value of a parameter of permessage-deflate"
        case .notAsOffered: "permessage-deflate is not as it was offered"
        }
    }
}
