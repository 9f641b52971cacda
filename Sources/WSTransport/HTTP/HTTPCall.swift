public import NetPoll
public import WSFrame

/// A request with its whole body, as a ``HTTPResponder`` gets it.
public struct HTTPCall: Sendable {
    public let request: HTTPRequest
    /// At most what ``HTTPResponder/bodyBytesMax`` or ``/WSFrame/HTTPLimits/bodyBytesMax`` allows.
    public let body: [UInt8]
    /// Fields behind a chunked body; see ``/WSFrame/HTTPBodyDecoder/trailers``.
    public let trailers: [(name: String, value: String)]
    /// The client's address; behind a proxy of ``WebSocketServer/Configuration/proxies`` what that
    /// says.
    public let remoteAddress: SocketAddress
    /// The loop of the connection.
    public let loop: EventLoop
    /// What the ``HTTPRouter``'s path has in place of its parameters, percent-decoded.
    public let parameters: HTTPParameters
}

/// The parameters of a path, by name.
public struct HTTPParameters: Hashable, Sendable {
    var values: [(name: String, value: String)] = []

    /// The value of the parameter `name`; `nil` where the path has none of that name.
    public subscript(name: String) -> String? {
        values.first { $0.name == name }?.value
    }

    public static func == (left: HTTPParameters, right: HTTPParameters) -> Bool {
        left.values.elementsEqual(right.values) { $0 == $1 }
    }

    public func hash(into hasher: inout Hasher) {
        for (name, value) in values {
            hasher.combine(name)
            hasher.combine(value)
        }
    }
}
