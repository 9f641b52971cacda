internal import NetPoll

/// One endpoint of a pool, and its connections.
///
/// Like all that every lease passes through, it knows nothing of the connections' type.
final class EndpointMember: Sendable {
    let endpoint: Endpoint
    let id: BalancerCore.ID
    let driver: PoolDriver
    let isStale: (@Sendable (any Error) -> Bool)?
    /// The pool that is closed when nobody holds it any more.
    private let pool: PooledObject

    init<Connection>(
        _ endpoint: Endpoint, _ id: BalancerCore.ID, _ pool: ConnectionPool<Connection>
    ) {
        self.endpoint = endpoint
        self.id = id
        self.pool = pool
        driver = pool.driver
        isStale = pool.isStale
    }

    /// Whether it has no connection, and may not dial one now.
    func isOutOfReach(at now: Instant) -> Bool {
        driver.read { $0.core.usable == 0 && $0.core.gate.opensAt(now) > now }
    }
}

/// The endpoints of a pool and the decisions about them, under the pool's lock.
struct EndpointRoster: Sendable {
    var core: BalancerCore
    var random: SplitMix64
    /// By slot.
    var members: [EndpointMember?] = []
    var names: [String: BalancerCore.ID] = [:]
    var isClosed = false
    var failovers = 0
    var passedOver = 0

    init(_ configuration: BalancingConfiguration, at now: Instant, seed: UInt64) {
        core = BalancerCore(configuration: configuration, at: now.sinceOrigin)
        random = SplitMix64(seed: seed)
    }

    func takes(_ name: String) -> Bool { !isClosed && names[name] == nil }

    /// Adds an endpoint, unless its name is taken or the pool is closed.
    mutating func add<Connection>(
        _ endpoint: Endpoint, _ pool: ConnectionPool<Connection>, at now: Instant
    ) -> Bool {
        guard takes(endpoint.name) else { return false }
        let id = core.added(
            weight: endpoint.weight, nameHash: AffinityKey(endpoint.name).hash,
            at: now.sinceOrigin)
        while members.count <= id.slot { members.append(nil) }
        members[id.slot] = EndpointMember(endpoint, id, pool)
        names[endpoint.name] = id
        return true
    }

    mutating func remove(_ name: String) -> EndpointMember? {
        guard let id = names.removeValue(forKey: name) else { return nil }
        core.removed(id)
        defer { members[id.slot] = nil }
        return members[id.slot]
    }

    /// Chooses an endpoint, at which a lease is in flight from now on.
    mutating func choose(_ request: BalancingRequest, at now: Instant) -> EndpointMember? {
        guard !isClosed else { return nil }
        return core.wanted(request, at: now.sinceOrigin, using: &random)
            .flatMap { members[$0.slot] }
    }

    /// An endpoint that was chosen is out of reach: another is to be chosen.
    mutating func passOver(_ id: BalancerCore.ID) {
        core.released(id)
        passedOver += 1
    }

    /// A lease that was in flight ended so.
    mutating func ended(_ id: BalancerCore.ID, _ outcome: EndpointOutcome, at now: Instant) {
        core.released(id)
        switch outcome {
        case .success: core.succeeded(id)
        case .failure: core.failed(id, at: now.sinceOrigin)
        case .several(let successes, let isFailure):
            if successes > 0 { core.succeeded(id, times: successes) }
            if isFailure { core.failed(id, at: now.sinceOrigin) }
        case .unknown: break
        }
    }
}

/// What a lease says of its endpoint's health.
enum EndpointOutcome: Hashable, Sendable {
    case success
    case failure
    /// It was asked several things, and did what was asked; at the end it failed, or not.
    case several(successes: Int, isFailure: Bool)
    /// Nothing.
    case unknown
}
