import NetPoll
import Synchronization
import WSFrame

/// What the connections of one server share on one loop.
///
/// Not `Sendable`: made by its loop's listener and used on that loop only, but for what it holds
/// in atomics.
final class ServerShard: WebSocketShard {
    let configuration: WebSocketServer.Configuration
    let accept: WebSocketServer.Accept
    let screen: HTTPScreen?
    let observe: WebSocketServer.Observe
    let accessLog: WebSocketServer.AccessLog?
    let counts: ServerCounts
    private(set) var connections = 0
    private(set) var isDraining = false
    private var whenEmpty: [() -> Void] = []
    private var dated: (text: String, until: Instant)?

    init(
        configuration: WebSocketServer.Configuration, framing: ProtocolConfiguration,
        screen: HTTPScreen?, observe: @escaping WebSocketServer.Observe,
        accessLog: WebSocketServer.AccessLog?, accept: @escaping WebSocketServer.Accept,
        counts: ServerCounts
    ) {
        self.configuration = configuration
        self.screen = screen
        self.observe = observe
        self.accessLog = accessLog
        self.accept = accept
        self.counts = counts
        super.init(
            role: .server, framing: framing, heartbeat: configuration.heartbeat,
            closeTimeout: configuration.closeTimeout,
            inputStallTimeout: configuration.inputStallTimeout, connection: configuration.connection
        )
    }

    /// What `Date` says, made anew once a second.
    func date(at now: Instant) -> String {
        if let dated, now < dated.until { return dated.text }
        let text = HTTPDate.text(ofUnixTime: Platform.unixTime())
        dated = (text, now + .seconds(1))
        return text
    }

    // MARK: - Counting, TCP connections and WebSockets

    func accepted() { connections += 1 }

    func ended() {
        connections -= 1
        tellIfEmpty()
    }

    override func closed() {
        counts.webSockets.subtract(1, ordering: .relaxed)
        ended()
    }

    // MARK: - Draining

    /// Closes every connection of this server on `loop`, and aborts the rest at the deadline; no more
    /// than the loop's `closesPerTurnMax` in a turn.
    func drain(
        _ loop: EventLoop, code: CloseCode, deadline: Duration, whenEmpty: @escaping () -> Void
    ) {
        isDraining = true
        self.whenEmpty.append(whenEmpty)
        loop.sweepConnections { [self] connection in
            if let webSocket = connection.handler as? WebSocketConnection, webSocket.shard === self
            {
                webSocket.close(code)
            } else if let exchange = connection.handler as? HTTPExchange, exchange.shard === self {
                exchange.drain()
            }
        }
        loop.schedule(after: deadline, DrainDeadline(self))
        tellIfEmpty()
    }

    private func tellIfEmpty() {
        guard isDraining, connections == 0 else { return }
        let waiting = whenEmpty
        whenEmpty = []
        for tell in waiting { tell() }
    }

    private final class DrainDeadline: TimerTarget {
        private let shard: ServerShard

        init(_ shard: ServerShard) {
            self.shard = shard
        }

        func timerFired(_ id: TimerID, on loop: EventLoop) {
            loop.sweepConnections { [shard] connection in
                let isOurs =
                    (connection.handler as? WebSocketConnection)?.shard === shard
                    || (connection.handler as? HTTPExchange)?.shard === shard
                if isOurs { connection.abort() }
            }
        }
    }
}
