import ConnPool
import NetPoll

// Unary calls of which several attempts run at a time.
extension RPCClient {
    private enum HedgeEvent<Reply: Sendable>: Sendable {
        case reply(Reply)
        case failed(RPCError)
        /// The delay passed since the attempt of this number began.
        case timePassed(Int)
    }

    /// Makes further attempts while none has answered; the first good answer counts.
    func hedge<Request, Reply>(
        _ method: UnaryMethod<Request, Reply>, _ request: Request, _ options: CallOptions,
        _ policy: HedgingPolicy
    ) async throws(RPCError) -> Reply {
        let deadline = deadline(of: options, since: pool.now)
        let outcome = await withTaskGroup(
            of: HedgeEvent<Reply>.self, returning: Result<Reply, RPCError>.self
        ) { group in
            // Leaving the group cancels the losers, and waits for them to end: at once.
            defer { group.cancelAll() }
            var core = HedgingCore()
            begin(core.begun)
            while let event = await group.next() {
                let next: HedgingCore.OnEvent
                switch event {
                case .reply(let reply): return .success(reply)
                case .timePassed(let number):
                    guard number == core.begun, number < policy.attemptsMax else { continue }
                    next = core.timePassed(policy, budgetAllows: effort.mayHedge())
                case .failed(let error):
                    let mayGoOn = policy.codes.contains(error.code)
                    next = core.failed(
                        error.code, policy,
                        budgetAllows: mayGoOn && core.begun < policy.attemptsMax
                            && effort.mayHedge())
                    if next == .giveUp { return .failure(error) }
                }
                if next == .begin { begin(core.begun) }
            }
            return .failure(
                RPCError(.internal, "no attempt is left of the call", execution: .unknown))

            func begin(_ number: Int) {
                group.addTask { await self.attempt(method, request, options, deadline) }
                group.addTask {
                    // Cancelled, nobody asks any more.
                    try? await self.loop.clock.sleep(for: policy.delay)
                    return .timePassed(number)
                }
            }
        }
        return try outcome.get()
    }

    private func attempt<Request, Reply>(
        _ method: UnaryMethod<Request, Reply>, _ request: Request, _ options: CallOptions,
        _ deadline: Instant?
    ) async -> HedgeEvent<Reply> {
        var options = options
        let moment = pool.now
        if let deadline { options.timeout = deadline - moment }
        var wasAttempted = false
        do throws(RPCError) {
            let reply = try await once(options, moment, &wasAttempted) {
                (connection, options) async throws(RPCError) -> Reply in
                try await connection.call(method, request, options: options)
            }
            return .reply(reply)
        } catch {
            return .failed(error)
        }
    }
}
