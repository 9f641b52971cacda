/// What a handler throws for the client to be told why: anything else that is thrown is told as
/// ``FailureCode/handlerFailed`` without a word.
public struct EventFailure: Error, Hashable, Sendable {
    /// What programs go by.
    public var code: FailureCode
    /// For people.
    public var text: String
    /// When to try again, where that may help.
    public var retryAfter: Duration?

    /// Creates a failure.
    public init(_ code: FailureCode, _ text: String = "", retryAfter: Duration? = nil) {
        self.code = code
        self.text = text
        self.retryAfter = retryAfter
    }
}
