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

    /// Where the attempt led: the server, or the proxy if there is one; `nil` where the request's
    /// host is none.
    public let destination: WebSocketClient.Destination?

    public init(_ reason: Reason, to destination: WebSocketClient.Destination?) {
        self.reason = reason
        self.destination = destination
    }
}

extension WebSocketClientError: CustomStringConvertible {
    public var description: String {
        let place = destination.map { " to \($0)" } ?? ""
        return "WebSocket\(place): \(text)"
    }

    private var text: String {
        switch reason {
        case .request(let error): "\(error)"
        case .connect(let reason): reason.text
        case .handshake(let error): "\(error)"
        case .timedOut: "no answer in time"
        case .lost(let reason): "connection ended (\(reason))"
        case .cancelled: "cancelled"
        }
    }
}
