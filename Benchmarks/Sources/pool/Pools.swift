import ConnPool

struct LongwirePool: Subject {
    let name = "ConnectionPool"
    let pool: ConnectionPool<Link>

    init(connections: Int) async throws {
        pool = ConnectionPool(
            configuration: .warm(connections), connector: .links)
        while pool.snapshot.idle < connections { try await Task.sleep(for: .milliseconds(1)) }
    }

    func cycle(holds: Bool) async throws -> ContinuousClock.Instant {
        let lease = try await pool.lease()
        let now = ContinuousClock.now
        if holds { await Task.yield() }
        lease.release()
        return now
    }
}

struct LongwireEndpoints: Subject {
    let name = "EndpointPool, 2 endpoints"
    let pool: EndpointPool<Link>

    init(connections: Int) async throws {
        var configuration = EndpointPoolConfiguration()
        configuration.pool = .warm(connections / 2)
        pool = EndpointPool(
            endpoints: [Endpoint(name: "a"), Endpoint(name: "b")], configuration: configuration
        ) { _ in .links }
        while pool.snapshot.entries.contains(where: { $0.pool.idle < connections / 2 }) {
            try await Task.sleep(for: .milliseconds(1))
        }
    }

    func cycle(holds: Bool) async throws -> ContinuousClock.Instant {
        let lease = try await pool.lease()
        let now = ContinuousClock.now
        if holds { await Task.yield() }
        lease.release()
        return now
    }
}

extension PoolConfiguration {
    fileprivate static func warm(_ connections: Int) -> PoolConfiguration {
        var configuration = PoolConfiguration()
        configuration.connectionsMax = connections
        configuration.idleMin = connections
        return configuration
    }
}

extension PoolConnector<Link> {
    fileprivate static var links: PoolConnector<Link> {
        PoolConnector { _ in
            Link()
        } close: { _, _ in
        }
    }
}
