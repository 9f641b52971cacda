/// Turns what a session was into a token that its client keeps, and back.
///
/// Called on the hub's loops, several at a time, and must not block: a token that any process of a
/// cluster can read by itself needs nobody to be asked. `SignedResumeTokens` of HubTokens is one.
public protocol ResumeTokens: Sendable {
    /// A token that holds `state`, in characters that need no escaping anywhere: letters, digits,
    /// `-`, `_` and `.`.
    func token(for state: ResumeState) -> String

    /// Reads a token that a client gave.
    ///
    /// - Parameters:
    ///   - token: What somebody says is one.
    ///   - now: The time.
    /// - Returns: What it holds.
    /// - Throws: ``ResumeTokenError``; nothing of the token is believed then.
    func state(of token: String, at now: Timestamp) throws(ResumeTokenError) -> ResumeState
}

/// Why a resume token is not believed.
public enum ResumeTokenError: Error, Hashable, Sendable, CaseIterable, CustomStringConvertible {
    /// It has not a token's form.
    case malformed
    /// It was signed with a key that is not known here, or no longer.
    case foreign
    /// It is not as it was signed.
    case tampered
    /// Its time is over.
    case expired

    public var description: String {
        switch self {
        case .malformed: "not a resume token"
        case .foreign: "a resume token of another key"
        case .tampered: "a resume token that was changed"
        case .expired: "an expired resume token"
        }
    }
}
