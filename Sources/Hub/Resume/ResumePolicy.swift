/// How clients come back to their sessions.
///
/// A session gets a token by ``ServerEnvelope/token(_:expiry:)`` when it is identified, when its
/// subscriptions change, and long before the last one expires. A client that comes back says it by
/// ``ClientEnvelope/resume(_:)``: it is of the same user again, without being asked who it is, and
/// gets what its topics had meanwhile.
public struct ResumePolicy: Sendable {
    /// Makes and reads the tokens.
    public var tokens: any ResumeTokens
    /// For how long a token is good: so long a client may be away, and so long one that was turned
    /// out may come back, unless it is banned.
    ///
    /// Default 10 min.
    public var lifetime = Duration.seconds(600)
    /// For how long changes of a session gather before it gets a token of them.
    ///
    /// Default 100 ms.
    public var gathering = Duration.milliseconds(100)
    /// Bytes of one token's names; topics beyond are left out, and their clients subscribe to them
    /// again by themselves. So are all topics that credentials granted, where the patterns of
    /// ``Identity/topics`` take more.
    ///
    /// Default 8 KiB, of which each pattern takes 5 besides itself, and each topic 24 besides its name.
    public var namesBytesMax = 8 << 10

    /// Creates the defaults.
    ///
    /// - Parameter tokens: Makes and reads the tokens.
    public init(_ tokens: any ResumeTokens) {
        self.tokens = tokens
    }
}
