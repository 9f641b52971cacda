/// An outgoing connection did not come about.
public struct ConnectError: Error, Hashable, Sendable {
    /// What prevented it.
    public enum Reason: Hashable, Sendable {
        /// Nothing listens there (ECONNREFUSED).
        case refused
        /// No answer came within ``ConnectConfiguration/timeout``.
        case timedOut
        /// No route leads there (ENETUNREACH, EHOSTUNREACH).
        case unreachable
        /// ``ConnectAttempt/cancel()`` was called.
        case cancelled
        /// The loop was shut down.
        case shutdown
        /// The kernel reported another failure.
        case failed(SystemError)
    }

    public let reason: Reason

    /// Where the connection was to lead.
    public let address: SocketAddress

    public init(_ reason: Reason, to address: SocketAddress) {
        self.reason = reason
        self.address = address
    }

    init(_ error: SystemError, to address: SocketAddress) {
        self.init(Platform.connectReason(error), to: address)
    }
}

extension ConnectError: CustomStringConvertible {
    public var description: String {
        switch reason {
        case .refused: "connect \(address): refused"
        case .timedOut: "connect \(address): no answer in time"
        case .unreachable: "connect \(address): unreachable"
        case .cancelled: "connect \(address): cancelled"
        case .shutdown: "connect \(address): the loop was shut down"
        case .failed(let error): "connect \(address): \(error)"
        }
    }
}
