import NetPoll

/// The proxies in front of a server, which alone are believed about who their clients are.
///
/// What anybody else says about it is ignored, for it could be anything.
public struct TrustedProxies: Hashable, Sendable {
    /// How a proxy says who its client is.
    public enum Source: Hashable, Sendable {
        /// By the header `X-Forwarded-For` of each request: the last address in it that is not a
        /// trusted proxy's own.
        case forwardedFor
        /// By a PROXY protocol header, version 1 or 2, before the first byte of HTTP. Every
        /// connection from a trusted address has to begin with one.
        case proxyProtocol
    }

    /// Where the proxies connect from.
    public var ranges: [AddressRange]
    public var source: Source

    public init(_ ranges: [AddressRange], source: Source) {
        self.ranges = ranges
        self.source = source
    }

    func isTrusted(_ address: SocketAddress) -> Bool {
        ranges.contains { $0.contains(address) }
    }
}
