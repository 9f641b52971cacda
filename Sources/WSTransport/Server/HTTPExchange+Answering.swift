import NetPoll
import Synchronization
import WSFrame

// From a request's head to its answer.
extension HTTPExchange {
    /// A body of at most this many bytes is read and dropped where nobody wants it; behind a longer
    /// one, or one of unknown length, the connection is closed.
    private static let droppedBytesMax = 64 << 10
    /// The most of an answer that is written at once, so that it needs no room of its own length: what
    /// fits, with so much framing, behind all that may wait already.
    static func pieceBytes(_ limits: Connection.Limits, framingBytes: Int = 0) -> Int {
        min(64 << 10, max(1, limits.sendQueueBytesMax - limits.highWatermark - framingBytes))
    }

    /// Serves a request whose head is whole.
    ///
    /// - Parameters:
    ///   - request: The head.
    ///   - isAllRead: Whether nothing came behind it yet.
    ///   - connection: What it came on.
    /// - Returns: The WebSocket that took the connection over, if it did.
    func begin(
        _ request: HTTPRequest, isAllRead: Bool, _ connection: Connection
    ) -> WebSocketConnection? {
        requests += 1
        requestBegan = connection.loop.now
        guard !request.isMethod("CONNECT") else {
            // What followed would be a tunnel's (RFC 9110 §9.3.6).
            answer(HTTPResponse(status: .notImplemented), to: request, closes: true, connection)
            return nil
        }
        if let hosts = shard.configuration.hosts, !request.isHost(among: hosts) {
            let status = HTTPStatus.misdirectedRequest
            shard.observe(.refused(status), clientAddress(of: request))
            answer(HTTPResponse(status: status), to: request, closes: true, connection)
            return nil
        }
        var upgrade: WebSocketUpgrade?
        if WebSocketHandshake.isRequested(by: request) {
            do throws(HandshakeRejection) {
                upgrade = try WebSocketHandshake.validate(
                    request, origins: shard.configuration.origins, isRequested: true)
            } catch {
                fail(.rejected(error), error.response, of: request, connection)
                return nil
            }
        }
        let decision = shard.accept(request, connection.loop, clientAddress(of: request))
        return carryOut(decision, of: request, upgrade, isAllRead: isAllRead, connection)
    }

    /// Does what was decided about a request.
    ///
    /// - Parameters:
    ///   - decision: What to do.
    ///   - request: The head.
    ///   - upgrade: What it asks for, if it asks for a WebSocket.
    ///   - isAllRead: Whether nothing came behind it yet.
    ///   - connection: What it came on.
    /// - Returns: The WebSocket that took the connection over, if it did.
    func carryOut(
        _ decision: WebSocketServer.Decision, of request: HTTPRequest,
        _ upgrade: WebSocketUpgrade?, isAllRead: Bool, _ connection: Connection
    ) -> WebSocketConnection? {
        let client = clientAddress(of: request)
        switch decision {
        case .respond(let response):
            if upgrade != nil {
                shard.observe(.refused(response.status), client)
                answer(response, to: request, closes: true, connection)
            } else {
                respond(response, to: request, connection)
            }
        case .answer(let responder):
            serve(by: responder, request, isAllRead: isAllRead, connection)
        case .ask(let question):
            ask(question, about: request, upgrade, connection)
        case .upgrade(let handler, let wanted, let rule, let headers):
            guard let upgrade else {
                let response = HTTPResponse(
                    status: .upgradeRequired, headers: [HTTPHeader("Upgrade", "websocket")])
                respond(response, to: request, connection)
                return nil
            }
            // What the client did not offer must not be chosen (RFC 6455 §4.2.2).
            let subprotocol = wanted.flatMap { upgrade.subprotocols.contains($0) ? $0 : nil }
            let compression: CompressionConfiguration? =
                switch rule {
                case .asConfigured: shard.configuration.compression
                case .off: nil
                case .with(let other): other
                }
            return open(
                Opening(upgrade, handler, subprotocol, compression, headers), of: request, client,
                connection)
        }
        return nil
    }

    func clientAddress(of request: HTTPRequest) -> SocketAddress {
        guard isForwarded, let proxies = shard.configuration.proxies else { return remoteAddress }
        return ForwardedFor.client(
            of: remoteAddress, values: request.headers("X-Forwarded-For"),
            isTrusted: proxies.isTrusted)
    }

    /// Answers a request whose body nobody wants.
    private func respond(
        _ response: HTTPResponse, to request: HTTPRequest, _ connection: Connection
    ) {
        switch request.body {
        case .none: answer(response, to: request, closes: false, connection)
        case .bytes(let count) where count <= Self.droppedBytesMax && !request.expectsContinue:
            reader.limitBody(of: request, to: count)
            awaitBody(PendingRequest(request, .response(response)), connection)
        case .bytes, .chunked: answer(response, to: request, closes: true, connection)
        }
    }

    private func serve(
        by responder: HTTPResponder, _ request: HTTPRequest, isAllRead: Bool,
        _ connection: Connection
    ) {
        let bodyBytesMax = responder.bodyBytesMax ?? shard.configuration.http.bodyBytesMax
        reader.limitBody(of: request, to: bodyBytesMax)
        awaitBody(PendingRequest(request, .responder(responder)), connection)
        guard request.expectsContinue, isAllRead else { return }
        if case .bytes(let count) = request.body, count > bodyBytesMax { return }
        let line = HTTPResponse.continueLine
        // unsafe: a StaticString of ASCII literals has a pointer to its code units.
        connection.write(
            UnsafeRawBufferPointer(start: line.utf8Start, count: line.utf8CodeUnitCount).bytes)
    }

    private func awaitBody(_ request: PendingRequest, _ connection: Connection) {
        pending = request
        phase = .body
        if request.request.body != .none { arm(shard.configuration.bodyTimeout, connection) }
    }

    // MARK: - Body

    func append(_ bytes: RawSpan, _ connection: Connection) {
        guard let pending else { return }
        pending.bodyBytes += bytes.byteCount
        guard pending.keepsBody else { return }
        let limit = shard.configuration.bodiesBytesMax
        guard ServerCounts.take(shard.counts.bodyBytes, bytes.byteCount, limit: limit) else {
            fail(.bodiesExhausted, HTTPResponse(status: .serviceUnavailable), connection)
            return
        }
        if pending.body.isEmpty, case .bytes(let count) = pending.request.body {
            pending.body.reserveCapacity(min(count, 64 << 10))
        }
        bytes.withUnsafeBytes { pending.body.append(contentsOf: $0) }
    }

    func bodyEnded(_ connection: Connection) {
        // A request without a body may have been answered already.
        guard let pending else { return }
        switch pending.answer {
        case .decision:
            preconditionFailure("a body is read before it is decided what for")
        case .response(let response):
            answer(response, to: pending.request, closes: false, connection)
        case .responder(let responder):
            let call = HTTPCall(
                request: pending.request, body: pending.body, trailers: reader.trailers,
                remoteAddress: clientAddress(of: pending.request), loop: connection.loop,
                parameters: responder.parameters)
            switch responder.kind {
            case .onLoop(let respond):
                answer(respond(call), to: pending.request, closes: false, connection)
            case .byTask(let respond): awaitTask(pending, connection).start(call, respond)
            case .byStream(let respond): awaitTask(pending, connection).start(call, respond)
            }
        }
    }

    private func awaitTask(
        _ pending: PendingRequest, _ connection: Connection
    ) -> RunningResponder {
        phase = .responding
        arm(shard.configuration.responseTimeout, connection)
        let running = RunningResponder(self, on: connection)
        pending.running = running
        return running
    }

    /// The responder's task ended.
    func responded(_ result: Result<HTTPResponse, any Error>) {
        guard let connection, let pending, phase == .responding else { return }
        pending.running = nil
        switch result {
        case .success(let response):
            answer(response, to: pending.request, closes: false, connection)
        case .failure(is CancellationError) where hasPeerEnded:
            forgetPending()
            end(connection)
        case .failure(let error):
            let address = clientAddress(of: pending.request)
            shard.observe(.responderFailed("\(error)"), address)
            answer(
                HTTPResponse(status: .internalServerError, text: "500 Internal Server Error\n"),
                to: pending.request, closes: false, connection)
        }
        if phase == .head { readCarried(connection) }
    }

    // MARK: - Answers

    /// Ends the connection with an answer.
    ///
    /// - Parameters:
    ///   - failure: What the observer is told.
    ///   - response: The answer.
    ///   - request: What failed, if its head is whole; `nil` for the one that is served, if any is.
    ///   - connection: What it came on.
    func fail(
        _ failure: WebSocketServer.HandshakeFailure, _ response: HTTPResponse,
        of request: HTTPRequest? = nil, _ connection: Connection
    ) {
        let request = request ?? pending?.request
        shard.observe(failure, request.map { clientAddress(of: $0) } ?? remoteAddress)
        if let request { log(request, response, connection.loop) }
        // HEAD has no body, also where its body is what is wrong.
        let bytes = response.encoded(
            for: request, .close, date: shard.date(at: connection.loop.now))
        connection.write(bytes.span.bytes)
        noteAnswered()
        forgetPending()
        end(connection)
    }

    /// Writes the answer to `request`; what the client does not take at once follows.
    private func answer(
        _ response: HTTPResponse, to request: HTTPRequest, closes: Bool, _ connection: Connection
    ) {
        log(request, response, connection.loop)
        noteAnswered()
        forgetPending()
        isLast = closes || isLastRequest(request)
        outgoing = response.encoded(
            for: request, isLast ? .close : .asRequested,
            date: shard.date(at: connection.loop.now))
        // Who does not take its answers gets no more time by asking for others.
        sendOn(connection, givesTime: !connection.ownsBuffers)
    }

    /// Whether nothing behind `request` is read.
    ///
    /// What follows a request for a WebSocket that was not opened is not: a proxy that has not read
    /// the refusal takes it for frames and looks at none of it.
    func isLastRequest(_ request: HTTPRequest) -> Bool {
        !request.keepsAlive || shard.isDraining
            || requests >= shard.configuration.requestsPerConnectionMax
            || WebSocketHandshake.isRequested(by: request)
    }

    /// Writes on, until all is written or the client has to take some of it first.
    func sendOn(_ connection: Connection, givesTime: Bool) {
        let pieceBytes = Self.pieceBytes(connection.limits)
        while outgoingStart < outgoing.count {
            let end = min(outgoing.count, outgoingStart + pieceBytes)
            let outcome = connection.write(outgoing.span.bytes.extracting(outgoingStart..<end))
            outgoingStart = end
            guard hasRoom(after: outcome, connection) else { return }
        }
        outgoing = []
        outgoingStart = 0
        if isLast || shard.isDraining { return endSent(connection) }
        phase = .head
        isKeptAlive = true
        if givesTime { arm(shard.configuration.keepAliveTimeout, connection) }
    }

    /// Ends the connection once the client took what waits of the last answer: a close gives it less
    /// time.
    private func endSent(_ connection: Connection) {
        if connection.queuedBytes > 0 { connection.offerGathered() }
        guard connection.queuedBytes > 0, connection.isOpen else { return end(connection) }
        // Told each time that the kernel takes some, once it is below the low watermark.
        connection.awaitFall()
        guard phase != .ending else { return }
        phase = connection.queuedBytes > connection.limits.lowWatermark ? .sending : .ending
        arm(shard.configuration.sendTimeout, connection)
    }

    private func hasRoom(after outcome: WriteOutcome, _ connection: Connection) -> Bool {
        switch outcome {
        case .accepted where !connection.isAboveHighWatermark():
            return true
        case .accepted, .aboveHighWatermark:
            phase = .sending
            connection.awaitFall()
            arm(shard.configuration.sendTimeout, connection)
        case .closed:
            phase = .over
        case .refused:
            phase = .over
            connection.abort()
        }
        return false
    }
}
