public import NetPoll
public import WSFrame

/// A WebSocket could not be opened.
public struct WebSocketClientError: Error, Hashable, Sendable {
    /// What prevented it.
    public enum Reason: Hashable, Sendable {
        /// The request must not be sent as it is.
        case request(WebSocketRequestError)
        /// The server, or the proxy, could not be reached.
        case connect(ConnectError.Reason)
        /// The answer opens no WebSocket: a refusal, a redirect, or a broken rule.
        case handshake(WebSocketHandshakeError)
        /// No answer came within ``WebSocketClient/Configuration/handshakeTimeout``.
        case timedOut
        /// The connection ended before the answer was complete.
        case lost(CloseReason)
        /// ``WebSocketAttempt/cancel()`` was called.
        case cancelled
    }

    public let reason: Reason

    /// Where the attempt led: the server, or the proxy if there is one.
    public let address: SocketAddress

    public init(_ reason: Reason, to address: SocketAddress) {
        self.reason = reason
        self.address = address
    }
}

extension WebSocketClientError: CustomStringConvertible {
    public var description: String {
        switch reason {
        case .request(let error): "WebSocket to \(address): \(error)"
        case .connect(let reason): "\(ConnectError(reason, to: address))"
        case .handshake(let error): "WebSocket to \(address): \(error)"
        case .timedOut: "WebSocket to \(address): no answer in time"
        case .lost(let reason): "WebSocket to \(address): connection ended (\(reason))"
        case .cancelled: "WebSocket to \(address): cancelled"
        }
    }
}
