/// How far the search for one request's connection has come.
struct EndpointSearch: Sendable {
    var request: BalancingRequest
    private(set) var attempts: [EndpointPoolError.Attempt] = []
    private var passedOver = 0
    /// Where to wait when nothing else is left: the first whose connections were all in use, or else
    /// the first that was out of reach.
    private var fallback: EndpointMember?
    private var fallbackIsInReach = false

    init(key: AffinityKey?) {
        request = BalancingRequest(key: key)
    }

    mutating func passOver(_ member: EndpointMember) {
        request.exclude(member.id.slot)
        passedOver += 1
        if fallback == nil { fallback = member }
    }

    mutating func failed(at member: EndpointMember, _ error: PoolError) {
        // The fallback is excluded already.
        if !request.excludes(member.id.slot) { request.exclude(member.id.slot) }
        attempts.append(.init(endpoint: member.endpoint.name, error: error))
        guard error.lastDialError == nil, !fallbackIsInReach else { return }
        fallback = member
        fallbackIsInReach = true
    }

    mutating func takeFallback() -> EndpointMember? { fallback.take() }

    func error(_ reason: EndpointPoolError.Reason) -> EndpointPoolError {
        let isExhausted = reason == .noEndpoints && (!attempts.isEmpty || passedOver > 0)
        return EndpointPoolError(
            reason: isExhausted ? .exhausted : reason, attempts: attempts, passedOver: passedOver)
    }
}

extension PoolError {
    /// Whether the pool that was asked has come to its end.
    var isEnd: Bool { reason == .draining || reason == .closed }
}
