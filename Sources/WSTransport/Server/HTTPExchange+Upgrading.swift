import NetPoll
import Synchronization
import WSFrame

// Becoming a WebSocket, and telling of what was answered.
extension HTTPExchange {
    /// A WebSocket that is about to be opened.
    struct Opening {
        let handler: any WebSocketHandler
        let compression: CompressionConfiguration?
        /// What was agreed on.
        let agreed: PerMessageDeflate?
        /// The answer that opens it.
        let response: [UInt8]

        init(
            _ upgrade: WebSocketUpgrade, _ handler: any WebSocketHandler, _ subprotocol: String?,
            _ compression: CompressionConfiguration?, _ headers: [HTTPHeader]
        ) {
            self.handler = handler
            self.compression = compression
            agreed = compression.flatMap { upgrade.compression($0) }
            response = upgrade.response(
                subprotocol: subprotocol, compression: agreed, headers: headers)
        }
    }

    func open(
        _ opening: Opening, of request: HTTPRequest, _ client: SocketAddress,
        _ connection: Connection
    ) -> WebSocketConnection? {
        let (shard, loop) = (shard, connection.loop)
        let limit = shard.configuration.connectionsMax
        guard !shard.isDraining, ServerCounts.take(shard.counts.webSockets, limit: limit) else {
            let failure: WebSocketServer.HandshakeFailure =
                shard.isDraining ? .refused(.serviceUnavailable) : .connectionsExhausted
            fail(failure, HTTPResponse(status: .serviceUnavailable), of: request, connection)
            return nil
        }
        phase = .over
        stopDeadline(loop)
        giveBackPlaces()
        // Too much may have come behind an earlier request.
        if connection.isReadingPaused { connection.resumeReading() }
        connection.write(opening.response.span.bytes)
        log(request, .switchingProtocols, bodyBytes: 0, loop)
        let webSocket = ServedWebSocket(
            connection: connection, handler: opening.handler, shard: shard, remoteAddress: client,
            deflate: shard.codec(opening.agreed, opening.compression, loop))
        connection.handler = webSocket
        webSocket.begin()
        return webSocket
    }

    func log(_ request: HTTPRequest, _ response: HTTPResponse, _ loop: EventLoop) {
        guard shard.accessLog != nil else { return }
        let bodyBytes = response.sendsBody(to: request) ? response.body.count : 0
        log(request, response.status, bodyBytes: bodyBytes, loop)
    }

    func log(
        _ request: HTTPRequest, _ status: HTTPStatus, bodyBytes: Int, _ loop: EventLoop
    ) {
        guard let accessLog = shard.accessLog else { return }
        accessLog(
            HTTPAccess(
                request: request, remoteAddress: clientAddress(of: request), status: status,
                requestBodyBytes: pending?.bodyBytes ?? 0, responseBodyBytes: bodyBytes,
                duration: loop.now - requestBegan))
    }
}
