internal import NetPoll
internal import Synchronization

/// Finds the endpoint of each request of an ``EndpointPool``, and asks the endpoint's own pool.
///
/// The roster's lock and those of the endpoints' pools are never held at the same time.
final class EndpointDriver: Sendable {
    let configuration: EndpointPoolConfiguration
    let clock: any PoolClock
    private let usesSystemClock: Bool
    let roster: Mutex<EndpointRoster>

    init(_ configuration: EndpointPoolConfiguration, _ clock: any PoolClock, seed: UInt64) {
        self.configuration = configuration
        self.clock = clock
        usesSystemClock = clock.isSystems
        roster = Mutex(EndpointRoster(configuration.balancing, at: clock.now, seed: seed))
    }

    var now: Instant { usesSystemClock ? Platform.monotonicNow : clock.now }

    // MARK: - Leasing

    /// A lease where the endpoint that the policy chooses has one at once, and what the policy chose.
    ///
    /// - Returns: Where there is no lease, the endpoint that was asked; it is still chosen.
    func firstChoice(
        _ request: BalancingRequest, at moment: Instant, _ site: @autoclosure () -> AcquisitionSite
    ) -> (member: EndpointMember, grant: Grant?)? {
        guard let member = roster.withLock({ $0.choose(request, at: moment) }) else { return nil }
        return (member, member.driver.tryLease(at: moment, site()))
    }

    /// A lease where one of a few endpoints has one at once.
    func tryLease(
        _ key: AffinityKey?, _ site: @autoclosure () -> AcquisitionSite
    ) -> EndpointGrant? {
        var request = BalancingRequest(key: key)
        for _ in 0...configuration.failoversMax {
            guard let (member, grant) = firstChoice(request, at: now, site()) else { return nil }
            if let grant { return EndpointGrant(grant: grant, member: member) }
            ended(member, .unknown, at: now)
            request.exclude(member.id.slot)
        }
        return nil
    }

    /// Goes from endpoint to endpoint, beginning with one that was chosen already, until there is a
    /// lease.
    func search(
        _ key: AffinityKey?, from first: EndpointMember, _ deadline: Instant,
        _ site: @autoclosure () -> AcquisitionSite
    ) async throws(EndpointPoolError) -> EndpointGrant {
        var moment = now
        var search = EndpointSearch(key: key)
        var chosen: EndpointMember? = first
        while let (member, isLast) = next(&search, chosen.take(), at: moment) {
            let limit = isLast ? deadline : min(deadline, moment + configuration.failoverDelay)
            do throws(PoolError) {
                let grant =
                    switch member.driver.ask(limit, site()) {
                    case .leased(let grant): grant
                    case .waits(let seat): try await member.driver.wait(seat)
                    case .failed(let error): throw error
                    }
                return EndpointGrant(grant: grant, member: member)
            } catch {
                moment = now
                // A full pool is no fault of the endpoint's; a failed dial is.
                ended(member, error.lastDialError == nil ? .unknown : .failure, at: moment)
                if error.isEnd, !contains(member) { continue }
                search.failed(at: member, error)
                if error.reason == .cancelled { throw search.error(.cancelled) }
                if error.isEnd { throw search.error(.closed) }
                if isLast || moment >= deadline { throw search.error(.exhausted) }
            }
        }
        throw search.error(emptyReason)
    }

    /// Why no endpoint can be chosen at all.
    var emptyReason: EndpointPoolError.Reason {
        roster.withLock { $0.isClosed ? .closed : .noEndpoints }
    }

    /// The endpoint to try next, and whether it is the last; `nil` where there is none.
    private func next(
        _ search: inout EndpointSearch, _ first: EndpointMember?, at now: Instant
    ) -> (EndpointMember, isLast: Bool)? {
        var first = first
        while search.request.excludedCount < BalancingRequest.excludedMax {
            let (chosen, count) = roster.withLock { roster in
                (first.take() ?? roster.choose(search.request, at: now), roster.core.count)
            }
            guard let chosen else { break }
            if chosen.isOutOfReach(at: now) {
                roster.withLock { $0.passOver(chosen.id) }
                search.passOver(chosen)
                continue
            }
            if !search.attempts.isEmpty { roster.withLock { $0.failovers += 1 } }
            let isLast =
                search.attempts.count >= configuration.failoversMax
                || search.request.excludedCount + 1 >= min(count, BalancingRequest.excludedMax)
            return (chosen, isLast)
        }
        // No other is in reach: rather wait where there is little hope than nowhere.
        guard let member = search.takeFallback() else { return nil }
        roster.withLock { $0.core.waited(member.id) }
        return (member, true)
    }

    // MARK: - Ends

    /// A lease is given back in order.
    func release(_ grant: EndpointGrant, _ outcome: EndpointOutcome) {
        let moment = now
        grant.member.driver.release(grant.grant, at: moment)
        ended(grant.member, outcome, at: moment)
    }

    /// A lease is given back, its connection being of no more use.
    func discard(_ grant: EndpointGrant, _ outcome: EndpointOutcome) {
        grant.member.driver.discard(grant.grant)
        ended(grant.member, outcome, at: now)
    }

    private func ended(_ member: EndpointMember, _ outcome: EndpointOutcome, at moment: Instant) {
        roster.withLock { $0.ended(member.id, outcome, at: moment) }
    }

    private func contains(_ member: EndpointMember) -> Bool {
        roster.withLock { !$0.isClosed && $0.core.contains(member.id) }
    }

    func distrustIdle() {
        for case let member? in roster.withLock({ $0.members }) { member.driver.distrustIdle() }
    }
}

/// A lease as an endpoint's pool gave it.
struct EndpointGrant: Sendable {
    let grant: Grant
    let member: EndpointMember
}
