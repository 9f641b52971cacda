import NetPoll
import WSFrame
import WSTransport

/// What was asked for.
struct Plan: Sendable {
    var request: WebSocketRequest
    /// Where to connect instead of the request's host.
    var address: SocketAddress?
    var proxy: WebSocketClient.Proxy?
    var isHex = false
    var isVerbose = false
    /// How many; `nil` to send lines.
    var pings: Int?
    var pingInterval = Duration.zero
    var timeout = Duration.seconds(10)
    var linger = Duration.zero

    init(request: WebSocketRequest) {
        self.request = request
    }

    /// The client's settings.
    var configuration: WebSocketClient.Configuration {
        var settings = WebSocketClient.Configuration()
        settings.limits.framePayloadBytesMax = 16 << 20
        settings.limits.messageBytesMax = 16 << 20
        settings.limits.fragmentsMax = 131_072
        settings.limits.bookkeepingBytesMax = 4 << 20
        settings.connect.limits.sendQueueBytesMax = 64 << 20
        settings.connect.timeout = timeout
        settings.handshakeTimeout = timeout
        settings.closeTimeout = timeout
        settings.proxy = proxy
        return settings
    }
}
