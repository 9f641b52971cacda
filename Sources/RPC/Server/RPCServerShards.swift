import NetPoll

/// A server's settings and its part on each loop; what its listeners hold, so that they do not keep
/// the server itself alive.
final class RPCServerShards: Sendable {
    private let configuration: RPCConfiguration
    let table: MethodTable
    private let gate: AdmissionGate

    /// A loop's shard, made by its first connection or by draining.
    ///
    /// `@unchecked Sendable`: only the loop of the same index touches it.
    private final class Place: @unchecked Sendable {
        var shard: RPCServerShard?
    }

    private let places: [Place]

    init(
        _ group: EventLoopGroup, _ table: MethodTable, _ configuration: RPCConfiguration,
        _ gate: AdmissionGate
    ) {
        self.table = table
        self.configuration = configuration
        self.gate = gate
        places = group.loops.map { _ in Place() }
    }

    /// The part of the server on `loop`; called on it.
    func shard(of loop: EventLoop) -> RPCServerShard {
        let place = places[loop.index]
        if let shard = place.shard { return shard }
        let shard = RPCServerShard(loop, table, configuration, gate)
        place.shard = shard
        return shard
    }
}

/// A server's connections on one loop.
final class RPCServerShard: TimerTarget {
    private let loop: EventLoop
    private let table: MethodTable
    private let configuration: RPCConfiguration
    private let mailbox: LoopMailbox
    private let shelf: ServedCallShelf
    private var peers: [ObjectIdentifier: PeerConnection] = [:]
    private var ages: [ObjectIdentifier: ConnectionAge] = [:]
    private var isDraining = false
    /// Who is to be told when no connection is left.
    private var whenDrained: [@Sendable () -> Void] = []

    init(
        _ loop: EventLoop, _ table: MethodTable, _ configuration: RPCConfiguration,
        _ gate: AdmissionGate
    ) {
        self.loop = loop
        self.table = table
        self.configuration = configuration
        mailbox = LoopMailbox(loop)
        shelf = ServedCallShelf(mailbox, gate: gate)
    }

    func accept(_ connection: Connection) -> any ConnectionHandler {
        let peer = PeerConnection(
            connection, role: .server, configuration: configuration, table: table,
            mailbox: mailbox, shelf: shelf
        ) { [weak self] peer in self?.ended(peer) }
        peers[ObjectIdentifier(peer)] = peer
        if isDraining {
            peer.drain()
        } else if configuration.ageMax != nil {
            ages[ObjectIdentifier(peer)] = ConnectionAge(peer)
        }
        return peer
    }

    /// What became of the calls on this loop.
    var records: MethodRecords { shelf.records }

    var connections: [RPCConnection] {
        peers.values.filter { !$0.isClosed }.map { RPCConnection($0) }
    }

    /// Whether a client is here that has called nothing yet, and cannot be told to go elsewhere.
    var awaitsFirstCall: Bool { peers.values.contains { !$0.hasCalled } }

    /// Tells when nobody is here who has called nothing yet, or `patience` is over.
    func whenAllCalled(within patience: Duration, _ whenDone: @escaping @Sendable () -> Void) {
        FirstCallLook(self, until: loop.now + patience, whenDone).timerFired(.none, on: loop)
    }

    private func ended(_ peer: PeerConnection) {
        peers[ObjectIdentifier(peer)] = nil
        ages.removeValue(forKey: ObjectIdentifier(peer))?.stop()
        tellIfDrained()
    }

    /// Drains every connection of this server, and aborts the rest at the deadline; no more than the
    /// loop's `closesPerTurnMax` in a turn.
    func drain(_ deadline: Duration, _ whenDone: @escaping @Sendable () -> Void) {
        isDraining = true
        whenDrained.append(whenDone)
        sweep { $0.drain() }
        loop.schedule(after: deadline, self)
        tellIfDrained()
    }

    func timerFired(_ id: TimerID, on loop: EventLoop) {
        // Connections may still end in order before the sweep comes to them.
        shelf.takesOutliving = false
        sweep { $0.connection.abort() }
        for peer in peers.values { peer.endOutliving() }
    }

    private func sweep(_ end: @escaping (PeerConnection) -> Void) {
        loop.sweepConnections { [shelf] connection in
            guard let peer = connection.handler as? PeerConnection, peer.shelf === shelf else {
                return
            }
            end(peer)
        }
    }

    private func tellIfDrained() {
        guard isDraining, peers.isEmpty else { return }
        let waiting = whenDrained
        whenDrained = []
        for tell in waiting { tell() }
    }
}
