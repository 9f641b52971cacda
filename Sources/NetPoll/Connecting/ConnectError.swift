/// An outgoing connection did not come about.
public struct ConnectError: Error, Hashable, Sendable {
    /// What prevented it.
    public enum Reason: Hashable, Sendable {
        /// Nothing listens there (ECONNREFUSED).
        case refused
        /// No answer came within ``ConnectConfiguration/timeout``: from an address, or from the resolver
        /// before any address had failed.
        case timedOut
        /// No route leads there (ENETUNREACH, EHOSTUNREACH).
        case unreachable
        /// ``ConnectAttempt/cancel()`` was called, or the task that waited was cancelled.
        case cancelled
        /// The loop was shut down.
        case shutdown
        /// The host's name has no address, or none of the family of
        /// ``ConnectConfiguration/localAddress``.
        case unresolved(ResolveError)
        /// The kernel reported another failure.
        case failed(SystemError)
    }

    public let reason: Reason

    /// Where the connection was to lead; of a host's addresses one that was being tried, or else the
    /// one that failed last, or `nil` where none was tried.
    public let address: SocketAddress?

    /// The name that was to be connected to; `nil` where it was an address.
    public let host: String?

    public init(_ reason: Reason, to address: SocketAddress?, host: String? = nil) {
        self.reason = reason
        self.address = address
        self.host = host
    }

    init(_ error: SystemError, to address: SocketAddress) {
        self.init(Platform.connectReason(error), to: address)
    }
}

extension ConnectError: CustomStringConvertible {
    public var description: String {
        "connect \(destination): \(reason.text)"
    }

    private var destination: String {
        switch (host, address) {
        case (let host?, let address?): "\(host) (\(address))"
        case (let host?, nil): host
        case (nil, let address?): "\(address)"
        case (nil, nil): "nowhere"
        }
    }
}

extension ConnectError.Reason {
    package var text: String {
        switch self {
        case .refused: "refused"
        case .timedOut: "no answer in time"
        case .unreachable: "unreachable"
        case .cancelled: "cancelled"
        case .shutdown: "the loop was shut down"
        case .unresolved(let error): "\(error)"
        case .failed(let error): "\(error)"
        }
    }
}
