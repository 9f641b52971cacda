import NetPoll

/// Which hosts are cut off from which, and what waits until they are not.
struct Partitions {
    private var ends: [HostPair: Instant] = [:]
    private var isolated: Set<SocketAddress> = []
    /// Whose bytes wait for a partition that only ``heal()`` ends.
    private var held: [Endpoint] = []

    static var never: Instant { Instant(nanoseconds: .max) }

    mutating func cut(_ pair: HostPair, until end: Instant) {
        ends[pair] = max(end, ends[pair] ?? end)
    }

    mutating func isolate(_ host: SocketAddress) { isolated.insert(host.with(port: 0)) }

    /// When the hosts hear each other again; `nil` where they do.
    mutating func end(_ pair: HostPair?, now: Instant) -> Instant? {
        guard let pair, !ends.isEmpty || !isolated.isEmpty else { return nil }
        if isolated.contains(where: pair.includes) { return Self.never }
        guard let end = ends[pair] else { return nil }
        guard end <= now else { return end }
        ends[pair] = nil
        return nil
    }

    mutating func hold(_ endpoint: Endpoint) { held.append(endpoint) }

    /// Ends all partitions and returns who has bytes waiting.
    mutating func heal() -> [Endpoint] {
        defer { self = Partitions() }
        return held
    }
}

extension Simulation {
    /// Whether what is on its way to `endpoint` has to wait for the end of a partition.
    func isHeldBack(_ endpoint: Endpoint) -> Bool {
        guard let end = partitions.end(endpoint.hosts, now: now) else { return false }
        if end == Partitions.never {
            partitions.hold(endpoint)
        } else {
            schedule(end, endpoint)
        }
        return true
    }

    /// Whether two addresses' hosts are cut off from each other.
    func isCut(_ one: SocketAddress, _ other: SocketAddress) -> Bool {
        partitions.end(HostPair(one, other), now: now) != nil
    }

    /// Perhaps loses a connection, or cuts its hosts off, before one of its sends.
    func drawLoss(_ endpoint: Endpoint) {
        if random.happens(faults.lostConnections) { endpoint.lose() }
        if random.happens(faults.partitions), let pair = endpoint.hosts {
            partitions.cut(pair, until: now + drawDuration(upTo: faults.partitionMax))
        }
    }

    func heal() {
        for endpoint in partitions.heal() { schedule(now, endpoint) }
    }
}
