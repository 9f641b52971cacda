import NetPoll
import WSFrame

/// A client's connection before it is a WebSocket.
///
///     connecting ──▶ tunnelling (with a proxy) ──▶ opening ──▶ WebSocketConnection takes over
///          └────────────────┴───────────────────────┴──failure──▶ over
final class ClientExchange {
    private enum State {
        case connecting(ConnectAttempt?)
        case tunnelling(Connection)
        case opening(Connection)
        case over
    }

    private let shard: ClientShard
    private let given: WebSocketClient.Destination?
    private let request: WebSocketRequest
    /// What is offered.
    private let compression: CompressionConfiguration?
    private let handler: any WebSocketHandler
    private var completion: WebSocketClient.Completion?
    private var handshake: WebSocketClientHandshake?
    private var state = State.connecting(nil)
    private var tunnel: ProxyTunnel?
    private var timer: TimerID?
    private var refused: WebSocketRequestError?
    /// Of the server, or the proxy; set once the socket is connected.
    private var peer: SocketAddress?

    /// A `destination` of `nil` stands for the request's host.
    init(
        shard: ClientShard, destination: WebSocketClient.Destination?, request: WebSocketRequest,
        handler: any WebSocketHandler, completion: @escaping WebSocketClient.Completion
    ) {
        self.shard = shard
        given = destination
        compression =
            switch request.compression {
            case .asConfigured: shard.configuration.compression
            case .off: nil
            case .with(let configuration): configuration
            }
        var request = request
        request.compression = compression.map { .with($0) } ?? .off
        self.request = request
        self.handler = handler
        self.completion = completion
    }

    /// Where the socket is connected to; `nil` where the request's host is none.
    private var destination: WebSocketClient.Destination? {
        if let proxy = shard.configuration.proxy { return proxy.destination }
        if let given { return given }
        // Only told where the request was not refused for it.
        guard let server = try? request.server else { return nil }
        return .host(server.host, port: server.port)
    }

    func start(on loop: EventLoop, _ resolver: any Resolver) {
        do throws(WebSocketRequestError) {
            if given == nil { _ = try request.server }
            handshake = try WebSocketClientHandshake(
                request, nonce: Self.nonce(), limits: shard.configuration.http)
            if let proxy = shard.configuration.proxy {
                tunnel = try ProxyTunnel(
                    to: request.server.authority, credentials: proxy.credentials,
                    limits: shard.configuration.http)
            }
        } catch {
            // Told at the end of the turn: never before start returns.
            refused = error
            loop.runAtEndOfTurn(self)
            return
        }
        state = .connecting(dial(on: loop, resolver))
    }

    private func dial(on loop: EventLoop, _ resolver: any Resolver) -> ConnectAttempt {
        let settings = shard.configuration.connect
        switch destination {
        case .address(let address):
            return loop.connect(to: address, configuration: settings) { [self] in
                dialled($0.map { ConnectedHost(connection: $0, address: address) })
            }
        case .host(let host, let port):
            return loop.connectToHost(
                host, port: port, configuration: settings, resolver: resolver
            ) { [self] in dialled($0) }
        case nil: preconditionFailure("a request was started whose host is none")
        }
    }

    private func dialled(_ result: Result<ConnectedHost, ConnectError>) {
        switch result {
        case .success(let connected):
            peer = connected.address
            self.connected(connected.connection)
        case .failure(let error): fail(.connect(error.reason))
        }
    }

    /// Sixteen fresh bytes (RFC 6455 §4.1).
    private static func nonce() -> [16 of UInt8] {
        var nonce = [16 of UInt8](repeating: 0)
        withUnsafeMutableBytes(of: &nonce) { Platform.fillWithRandomBytes($0) }
        return nonce
    }

    private func connected(_ connection: Connection) {
        guard completion != nil else {
            // Given up, and nobody is left to use it.
            connection.abort()
            return
        }
        connection.handler = self
        timer = connection.loop.schedule(after: shard.configuration.handshakeTimeout, self)
        if let tunnel {
            state = .tunnelling(connection)
            connection.write(tunnel.requestBytes.span.bytes)
        } else {
            open(connection)
        }
    }

    private func open(_ connection: Connection) {
        state = .opening(connection)
        if let handshake { connection.write(handshake.requestBytes.span.bytes) }
    }

    /// Ends the attempt, and tells it.
    func fail(_ reason: WebSocketClientError.Reason) {
        guard let completion else { return }
        self.completion = nil
        let before = state
        state = .over
        switch before {
        case .connecting(let attempt): attempt?.cancel()
        case .tunnelling(let connection), .opening(let connection):
            stopTimer(connection.loop)
            connection.abort()
        case .over: break
        }
        completion(.failure(WebSocketClientError(reason, to: destination)))
    }

    private func stopTimer(_ loop: EventLoop) {
        if let timer { loop.cancel(timer) }
        timer = nil
    }

    private func opened(
        _ opening: WebSocketOpening, _ connection: Connection
    ) -> WebSocketConnection? {
        guard let completion, let peer else { return nil }
        self.completion = nil
        state = .over
        stopTimer(connection.loop)
        let webSocket = ServedWebSocket(
            connection: connection, handler: handler, shard: shard, remoteAddress: peer,
            deflate: shard.codec(opening.compression, compression, connection.loop))
        connection.handler = webSocket
        completion(.success(.init(connection: webSocket, opening: opening)))
        if !connection.isEnded { webSocket.begin() }
        return webSocket
    }
}

extension ClientExchange: ConnectionHandler {
    func received(_ bytes: inout MutableRawSpan, on connection: Connection) {
        var start = 0
        do throws(WebSocketHandshakeError) {
            if case .tunnelling = state {
                // In place: a copy for each read would cost the square of the answer's length.
                switch try tunnel?.receive(bytes.bytes) {
                case .needsMore, nil: return
                case .opened(let consumed):
                    tunnel = nil
                    start = consumed
                    open(connection)
                }
            }
            guard case .opening = state, start < bytes.byteCount else { return }
            switch try handshake?.receive(bytes.bytes.extracting(droppingFirst: start)) {
            case .needsMore, nil: return
            case .opened(let opening, let consumed):
                start += consumed
                guard let webSocket = opened(opening, connection) else { return }
                // What came behind the answer are frames already.
                if start < bytes.byteCount, !connection.isEnded {
                    webSocket.receive(&bytes, from: start)
                }
            }
        } catch {
            fail(.handshake(error))
        }
    }

    func receivedEnd(on connection: Connection) { fail(.lost(.peer)) }

    func closed(_ connection: Connection, reason: CloseReason) { fail(.lost(reason)) }
}

extension ClientExchange: TimerTarget, TurnTarget {
    func timerFired(_ id: TimerID, on loop: EventLoop) {
        timer = nil
        fail(.timedOut)
    }

    func turnEnded(on loop: EventLoop) {
        if let refused { fail(.request(refused)) }
    }
}
