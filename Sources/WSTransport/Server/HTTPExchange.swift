import NetPoll
import Synchronization
import WSFrame

/// A connection before it is a WebSocket: reads requests, answers them in their order, upgrades.
///
///     proxyHeader ──▶ head ──plain──▶ (body ──▶ responding) ──▶ sending ──keep-alive──▶ head
///                      │ └──upgrade──▶ WebSocketConnection takes the connection over
///                      └──malformed, refused, timed out──▶ answered, over
///                                                   sending ──last──▶ ending ──all taken──▶ over
///
/// One request is served at a time. What arrives meanwhile is carried, within
/// ``WebSocketServer/Configuration/pipelinedBytesMax``; beyond that reading pauses. The end of the
/// connection is seen as long as reading goes on.
final class HTTPExchange {
    enum Phase: UInt8 {
        /// A trusted proxy has to say who its client is.
        case proxyHeader
        case head
        case body
        /// A responder's task runs.
        case responding
        /// A responder's task writes a body.
        case streaming
        /// The client has not taken enough of its answer.
        case sending
        /// The client has not taken the end of the last answer.
        case ending
        /// The connection became a WebSocket, or is closing.
        case over
    }

    let shard: ServerShard
    /// Who is connected, or who its PROXY header says.
    var remoteAddress: SocketAddress
    // The fields marked `@exclusivity(unchecked)` are used several times for every request, on the loop's thread only.
    // No access begins while another lasts: the one that runs code of others, reading on, calls the screen, which
    // does not know the exchange.
    @exclusivity(unchecked) var reader: HTTPRequestReader
    @exclusivity(unchecked) var phase = Phase.head
    /// Set while a deadline runs; the loop's slot table holds the connection meanwhile.
    @exclusivity(unchecked) var connection: Connection?
    @exclusivity(unchecked) private var timer: TimerID?
    private var isCounted = false
    /// Whether it counts among those that have had no answer yet.
    private var isUnanswered = false
    /// Its place among its address's connections.
    @exclusivity(unchecked) private var permit: AddressCounts.Permit?
    /// Whether the peer is a proxy whose `X-Forwarded-For` counts.
    var isForwarded = false
    /// Whether a request was answered and the next is awaited.
    var isKeptAlive = false
    /// Whether the answer that is under way is the last.
    var isLast = false
    private(set) var hasPeerEnded = false
    var requests = 0
    /// Of the stream that is written.
    var streamed = (status: HTTPStatus.ok, bodyBytes: 0)
    var streamsChunks = true
    /// Whether its client has to take something before more is written.
    var streamAwaitsFall = false
    var requestBegan = Instant(nanoseconds: 0)
    private var proxyHeader: ProxyHeader?

    @exclusivity(unchecked) var pending: PendingRequest?
    /// An answer of which the client has not taken all, and how much of it was written.
    var outgoing: [UInt8] = []
    var outgoingStart = 0
    /// What came behind the request that is served, and how much of that was read.
    @exclusivity(unchecked) private var carried: [UInt8] = []
    private var carriedStart = 0

    init(shard: ServerShard, remoteAddress: SocketAddress) {
        self.shard = shard
        self.remoteAddress = remoteAddress
        reader = HTTPRequestReader(limits: shard.configuration.http, screen: shard.screen)
    }

    /// Ends an exchange that is not about to become a WebSocket; what is being served is finished, and
    /// what writes a stream is asked to end it.
    func drain() {
        guard let connection else { return }
        switch phase {
        case .proxyHeader, .head: end(connection)
        case .streaming: pending?.running?.cancel()
        case .body, .responding, .sending, .ending, .over: break
        }
    }

    func end(_ connection: Connection) {
        phase = .over
        connection.close()
    }

    // MARK: - Deadlines

    func arm(_ delay: Duration, _ connection: Connection) {
        let loop = connection.loop
        if let timer, loop.reschedule(timer, after: delay) { return }
        timer = loop.schedule(after: delay, self)
    }

    func stopTimer(_ loop: EventLoop) {
        if let timer { loop.cancel(timer) }
        timer = nil
    }

    func stopDeadline(_ loop: EventLoop) {
        stopTimer(loop)
        connection = nil
    }

    // MARK: - Counting

    /// Takes a place among the connections of `address`; `false` where there is none.
    private func countAddress(_ address: SocketAddress, _ counts: ServerCounts) -> Bool {
        permit = counts.addresses.admit(address)
        return permit != nil
    }

    /// Its first answer is written, or it is gone.
    func noteAnswered() {
        guard isUnanswered else { return }
        isUnanswered = false
        shard.counts.unanswered.subtract(1, ordering: .relaxed)
    }

    /// Gives back what is counted for connections that are no WebSockets.
    func giveBackPlaces() {
        noteAnswered()
        if isCounted { shard.counts.handshakes.subtract(1, ordering: .relaxed) }
        isCounted = false
        permit = nil
        forgetPending()
    }

    /// Forgets the request that is served, if one is.
    func forgetPending() {
        guard let pending else { return }
        if !pending.body.isEmpty {
            shard.counts.bodyBytes.subtract(pending.body.count, ordering: .relaxed)
        }
        pending.running?.abandon()
        self.pending = nil
    }

    // MARK: - Bytes

    /// Reads requests from `start` on, until one has to be waited for.
    ///
    /// - Returns: How many bytes were read, all where a WebSocket took the connection over.
    private func read(
        _ bytes: inout MutableRawSpan, from start: Int, _ connection: Connection
    ) -> Int {
        var cursor = start
        while phase == .head || phase == .body, !connection.isEnded {
            guard let event = nextEvent(bytes.bytes, &cursor, connection) else { break }
            switch event {
            case .head(let request):
                let isAllRead = cursor == bytes.byteCount
                guard let webSocket = begin(request, isAllRead: isAllRead, connection) else {
                    continue
                }
                // What came behind the request head are frames already.
                if !isAllRead, !connection.isEnded { webSocket.receive(&bytes, from: cursor) }
                return bytes.byteCount
            case .body(let range): append(bytes.bytes.extracting(range), connection)
            case .end: bodyEnded(connection)
            }
        }
        if phase == .head, isKeptAlive, !reader.isIdle, !connection.ownsBuffers {
            isKeptAlive = false
            arm(shard.configuration.handshakeTimeout, connection)
        }
        return cursor
    }

    private func nextEvent(
        _ bytes: RawSpan, _ cursor: inout Int, _ connection: Connection
    ) -> HTTPRequestReader.Event? {
        do throws(HTTPParseError) {
            return try reader.next(in: bytes, at: &cursor)
        } catch {
            if case .refused(let status) = error.reason {
                fail(.refused(status), error.response, connection)
            } else {
                fail(.malformed(error), error.response, connection)
            }
            return nil
        }
    }

    private func carry(_ bytes: RawSpan, _ connection: Connection) {
        bytes.withUnsafeBytes { carried.append(contentsOf: $0) }
        if carried.count - carriedStart > shard.configuration.pipelinedBytesMax {
            connection.pauseReading()
        }
    }

    /// Whether bytes wait behind the request that is served.
    var hasCarried: Bool { carriedStart < carried.count }

    /// Gives what was carried to the WebSocket that took the connection over.
    func giveCarried(to webSocket: WebSocketConnection) {
        // Also where its handler closed it already: its peer's answer comes behind.
        guard hasCarried, !webSocket.connection.isEnded else { return }
        var bytes = carried
        carried = []
        var span = bytes.mutableSpan
        var raw = span.mutableBytes
        webSocket.receive(&raw, from: carriedStart)
    }

    /// Goes on with what was carried, once a request is answered or it is known who reads its body.
    func readCarried(_ connection: Connection) {
        if phase == .head || phase == .body {
            // Taken out, so that it is not copied; nothing is received meanwhile.
            var bytes = carried
            carried = []
            var span = bytes.mutableSpan
            var raw = span.mutableBytes
            carriedStart = read(&raw, from: carriedStart, connection)
            if carriedStart == bytes.count {
                carriedStart = 0
            } else {
                // Requests are at least 16 bytes long; this moves each byte a few times at most.
                if carriedStart > bytes.count / 2 {
                    bytes.removeFirst(carriedStart)
                    carriedStart = 0
                }
                carried = bytes
            }
        }
        guard phase == .head || phase == .body, carried.isEmpty else { return }
        if hasPeerEnded { return end(connection) }
        if connection.isReadingPaused { connection.resumeReading() }
    }

    /// Whether what follows is HTTP.
    private func readProxyHeader(
        _ bytes: RawSpan, _ cursor: inout Int, _ connection: Connection
    ) -> Bool {
        do throws(ProxyHeaderError) {
            guard case .client(let client) = try proxyHeader?.read(bytes, at: &cursor) else {
                return false
            }
            proxyHeader = nil
            phase = .head
            guard let client else { return true }
            remoteAddress = client
            if countAddress(client, shard.counts) { return true }
            fail(.addressExhausted, HTTPResponse(status: .tooManyRequests), connection)
        } catch {
            // It does not speak HTTP yet, so nothing is answered.
            shard.observe(.malformedProxyHeader(error), remoteAddress)
            end(connection)
        }
        return false
    }
}

extension HTTPExchange: ConnectionHandler {
    func opened(_ connection: Connection) {
        let shard = shard
        let counts = shard.counts
        shard.accepted()
        isUnanswered = true
        counts.unanswered.add(1, ordering: .relaxed)
        isCounted = counts.takeHandshake(limit: shard.configuration.handshakesMax)
        guard isCounted, !shard.isDraining else {
            fail(
                isCounted ? .refused(.serviceUnavailable) : .handshakesExhausted,
                HTTPResponse(status: .serviceUnavailable), connection)
            return
        }
        if let proxies = shard.configuration.proxies, proxies.isTrusted(remoteAddress) {
            switch proxies.source {
            case .forwardedFor: isForwarded = true
            case .proxyProtocol:
                phase = .proxyHeader
                proxyHeader = ProxyHeader()
            }
        } else if !countAddress(remoteAddress, counts) {
            fail(.addressExhausted, HTTPResponse(status: .tooManyRequests), connection)
            return
        }
        self.connection = connection
        arm(shard.configuration.handshakeTimeout, connection)
    }

    func received(_ bytes: inout MutableRawSpan, on connection: Connection) {
        var start = 0
        if phase == .proxyHeader, !readProxyHeader(bytes.bytes, &start, connection) { return }
        if carried.isEmpty { start = read(&bytes, from: start, connection) }
        guard start < bytes.byteCount, phase != .over, !connection.isEnded else { return }
        carry(bytes.bytes.extracting(droppingFirst: start), connection)
    }

    func receivedEnd(on connection: Connection) {
        switch phase {
        case .proxyHeader, .head, .body, .over: end(connection)
        case .responding, .streaming, .sending, .ending:
            // It may have ended its own side only: an answer that still comes is sent.
            hasPeerEnded = true
            pending?.running?.cancel()
        }
    }

    func fellBelowLowWatermark(_ connection: Connection) {
        if phase == .streaming { return streamFell(connection) }
        guard phase == .sending || phase == .ending else { return }
        sendOn(connection, givesTime: true)
        if phase == .head { readCarried(connection) }
    }

    func closed(_ connection: Connection, reason: CloseReason) {
        phase = .over
        stopDeadline(connection.loop)
        giveBackPlaces()
        shard.ended()
    }
}

extension HTTPExchange: TimerTarget {
    func timerFired(_ id: TimerID, on loop: EventLoop) {
        timer = nil
        guard let connection else { return }
        switch phase {
        case .over: break
        case .head where reader.isIdle: end(connection)
        case .proxyHeader:
            shard.observe(.timedOut, remoteAddress)
            end(connection)
        case .head, .body: fail(.timedOut, HTTPResponse(status: .requestTimeout), connection)
        case .responding:
            fail(.responderTimedOut, HTTPResponse(status: .serviceUnavailable), connection)
        case .streaming, .sending, .ending:
            forgetPending()
            phase = .over
            connection.abort()
        }
    }
}
