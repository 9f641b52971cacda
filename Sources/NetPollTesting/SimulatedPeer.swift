import NetPoll

/// A scripted client of a simulated network.
///
/// It receives by itself unless it is stalled; what does not fit into the partner's window waits
/// here and follows when there is room.
public final class SimulatedPeer {
    /// Called with each run of bytes that arrives, while the peer is not stalled; for clients that
    /// answer.
    public var onReceive: (([UInt8]) -> Void)?

    /// All that arrived and was not taken.
    public private(set) var received: [UInt8] = []

    /// Whether the server sent end-of-file.
    public private(set) var isEnded = false

    /// Whether the connection was reset.
    public private(set) var isReset = false

    /// Whether the peer does not receive, like a stopped process.
    public private(set) var isStalled = false

    /// Bytes sent for which the partner has no room yet.
    public var unsentBytes: Int { outbox.count }

    private let endpoint: Endpoint
    private unowned let network: Simulation
    private var outbox: [UInt8] = []
    private var endsAfterOutbox = false

    init(endpoint: Endpoint, network: Simulation) {
        self.endpoint = endpoint
        self.network = network
    }

    /// Sends `bytes`, as soon as the partner has room.
    public func send(_ bytes: [UInt8]) {
        if endsAfterOutbox { network.fail("bytes sent after the end was") }
        guard !endpoint.isClosed else { return }
        outbox.append(contentsOf: bytes)
        flush()
    }

    /// Sends end-of-file after what was sent.
    public func sendEnd() {
        endsAfterOutbox = true
        flush()
    }

    /// Stops receiving: the window fills and the server's sends stop.
    public func stall() { isStalled = true }

    /// Receives again.
    public func resume() {
        isStalled = false
        becameReady(endpoint)
    }

    /// Closes the connection in both directions.
    public func close() { endpoint.close(reset: false) }

    /// Is gone without a word, as with its cable cut: nothing arrives at either end any more, and
    /// the server is not told.
    public func vanish() { endpoint.lose() }

    /// Resets the connection.
    public func reset() { endpoint.close(reset: true) }

    /// Returns what arrived since the last call.
    public func takeReceived() -> [UInt8] {
        defer { received = [] }
        return received
    }

    private func flush() {
        guard !endpoint.isClosed else { return }
        if !outbox.isEmpty {
            let taken = outbox.withUnsafeBytes { endpoint.send($0) }
            outbox.removeFirst(taken)
        }
        endpoint.awaitsRoom = !outbox.isEmpty
        if outbox.isEmpty, endsAfterOutbox { endpoint.sendEnd() }
    }

    func act() {
        endpoint.isQueued = false
        flush()
        if endpoint.resetArrived { isReset = true }
        guard !isStalled, !endpoint.isClosed else { return }
        let count = endpoint.readableBytes
        if count > 0 {
            var bytes = [UInt8](repeating: 0, count: count)
            _ = bytes.withUnsafeMutableBytes { endpoint.receive(into: $0, atMost: count) }
            received.append(contentsOf: bytes)
            onReceive?(bytes)
        }
        if endpoint.endArrived { isEnded = true }
    }
}

extension SimulatedPeer: Endpoint.Owner {
    func becameReady(_ endpoint: Endpoint) {
        guard !endpoint.isQueued else { return }
        endpoint.isQueued = true
        network.becameReady(self)
    }
}
