import NetPoll
import Synchronization
import WSFrame

/// A connection before it is a WebSocket: reads request heads, answers plain ones, upgrades.
///
///     reading ──plain request──▶ answered ──keep-alive──▶ reading
///        │ └──upgrade──▶ WebSocketConnection takes the connection over
///        └──malformed, refused, timed out──▶ answered, closing
final class HTTPExchange {
    let shard: ServerShard
    private let remoteAddress: SocketAddress
    private var parser: HTTPRequestParser
    private var timer: TimerID?
    private var isCounted = false
    /// The connection became a WebSocket, or is closing.
    private var isOver = false
    /// Set while the deadline runs; the loop's slot table holds the connection meanwhile.
    private var connection: Connection?

    init(shard: ServerShard, remoteAddress: SocketAddress) {
        self.shard = shard
        self.remoteAddress = remoteAddress
        parser = HTTPRequestParser(
            limits: shard.configuration.http, screen: shard.screen)
    }

    /// Ends an exchange that is not about to become a WebSocket.
    func drain() {
        guard let connection, !isOver else { return }
        isOver = true
        connection.close()
    }

    private func answer(
        _ response: HTTPResponse, to request: HTTPRequest?, _ connection: Connection
    ) {
        connection.write(response.encoded(for: request).span.bytes)
    }

    private func fail(
        _ failure: WebSocketServer.HandshakeFailure, _ response: HTTPResponse,
        _ connection: Connection
    ) {
        shard.observe(failure, remoteAddress)
        answer(response, to: nil, connection)
        isOver = true
        connection.close()
    }

    private func startDeadline(_ connection: Connection) {
        let loop = connection.loop
        if let timer, loop.reschedule(timer, after: shard.configuration.handshakeTimeout) { return }
        timer = loop.schedule(after: shard.configuration.handshakeTimeout, self)
    }

    private func stopDeadline(_ loop: EventLoop) {
        if let timer { loop.cancel(timer) }
        timer = nil
        connection = nil
    }

    /// Serves one request whose head is whole.
    ///
    /// - Returns: The WebSocket that took the connection over, if it did.
    private func serve(
        _ request: HTTPRequest, _ connection: Connection
    ) -> WebSocketConnection? {
        let isUpgrade = WebSocketHandshake.isRequested(by: request)
        var upgrade: WebSocketUpgrade?
        if isUpgrade {
            do throws(HandshakeRejection) {
                upgrade = try WebSocketHandshake.validate(
                    request, origins: shard.configuration.origins)
            } catch {
                fail(.rejected(error), error.response, connection)
                return nil
            }
        }
        switch shard.accept(request, connection.loop, remoteAddress) {
        case .respond(let response):
            if isUpgrade { shard.observe(.refused(response.status), remoteAddress) }
            respond(response, to: request, closes: isUpgrade, connection)
            return nil
        case .upgrade(let handler, let subprotocol, let rule):
            guard let upgrade else {
                let response = HTTPResponse(
                    status: .upgradeRequired,
                    headers: [HTTPHeader("Upgrade", "websocket")])
                respond(response, to: request, closes: false, connection)
                return nil
            }
            // What the client did not offer must not be chosen (RFC 6455 §4.2.2).
            let chosen = subprotocol.flatMap { upgrade.subprotocols.contains($0) ? $0 : nil }
            return open(upgrade, handler, chosen, rule, connection)
        }
    }

    private func respond(
        _ response: HTTPResponse, to request: HTTPRequest, closes: Bool, _ connection: Connection
    ) {
        // A request's body is not read: the connection cannot be used for another.
        if closes || !request.keepsAlive || request.body != .none || shard.isDraining {
            connection.write(response.encoded(for: request, .close).span.bytes)
            isOver = true
            connection.close()
        } else {
            // Who does not take its answers gets no more time by asking for others.
            let isBehind = connection.ownsBuffers
            answer(response, to: request, connection)
            if !isBehind { startDeadline(connection) }
        }
    }

    private func open(
        _ upgrade: WebSocketUpgrade, _ handler: any WebSocketHandler, _ subprotocol: String?,
        _ rule: WebSocketServer.CompressionRule, _ connection: Connection
    ) -> WebSocketConnection? {
        let limit = shard.configuration.connectionsMax
        guard !shard.isDraining, ServerCounts.take(shard.counts.webSockets, limit: limit) else {
            let failure: WebSocketServer.HandshakeFailure =
                shard.isDraining ? .refused(.serviceUnavailable) : .connectionsExhausted
            fail(failure, HTTPResponse(status: .serviceUnavailable), connection)
            return nil
        }
        isOver = true
        stopDeadline(connection.loop)
        shard.counts.handshakes.subtract(1, ordering: .relaxed)
        let compression: CompressionConfiguration? =
            switch rule {
            case .asConfigured: shard.configuration.compression
            case .off: nil
            case .with(let other): other
            }
        let agreed = compression.flatMap { upgrade.compression($0) }
        connection.write(
            upgrade.response(subprotocol: subprotocol, compression: agreed).span.bytes)
        let webSocket = ServedWebSocket(
            connection: connection, handler: handler, shard: shard, remoteAddress: remoteAddress,
            deflate: shard.codec(agreed, compression, connection.loop))
        connection.handler = webSocket
        webSocket.begin()
        return webSocket
    }
}

extension HTTPExchange: ConnectionHandler {
    func opened(_ connection: Connection) {
        shard.accepted()
        isCounted = ServerCounts.take(
            shard.counts.handshakes, limit: shard.configuration.handshakesMax)
        guard isCounted, !shard.isDraining else {
            fail(
                isCounted ? .refused(.serviceUnavailable) : .handshakesExhausted,
                HTTPResponse(status: .serviceUnavailable), connection)
            return
        }
        self.connection = connection
        startDeadline(connection)
    }

    func received(_ bytes: inout MutableRawSpan, on connection: Connection) {
        var start = 0
        while start < bytes.byteCount, !isOver, !connection.isEnded {
            guard let request = parse(bytes.bytes, &start, connection) else { return }
            if let webSocket = serve(request, connection) {
                // What came behind the request head are frames already.
                if start < bytes.byteCount, !connection.isEnded {
                    webSocket.receive(&bytes, from: start)
                }
                return
            }
        }
    }

    /// The request whose head ends in `bytes`; `nil` where more is needed or it was refused.
    private func parse(
        _ bytes: RawSpan, _ start: inout Int, _ connection: Connection
    ) -> HTTPRequest? {
        do throws(HTTPParseError) {
            switch try parser.parse(bytes.extracting(droppingFirst: start)) {
            case .needsMore: return nil
            case .request(let request, let consumed):
                start += consumed
                return request
            }
        } catch {
            if case .refused(let status) = error.reason {
                fail(.refused(status), error.response, connection)
            } else {
                fail(.malformed(error), error.response, connection)
            }
            return nil
        }
    }

    func closed(_ connection: Connection, reason: CloseReason) {
        stopDeadline(connection.loop)
        if isCounted { shard.counts.handshakes.subtract(1, ordering: .relaxed) }
        shard.ended()
    }
}

extension HTTPExchange: TimerTarget {
    func timerFired(_ id: TimerID, on loop: EventLoop) {
        timer = nil
        guard let connection, !isOver else { return }
        if parser.isIdle {
            isOver = true
            connection.close()
        } else {
            fail(.timedOut, HTTPResponse(status: .requestTimeout), connection)
        }
    }
}
