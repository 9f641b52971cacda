import ConnPool
import NetPoll

// Unary calls.
extension RPCClient {
    /// Calls a method and waits for its reply.
    ///
    /// Repeated where that is safe, as ``RPCClientConfiguration/retry`` says. When the caller's task is
    /// cancelled the call ends at once; a server that knows the extensions is told, and cancels its
    /// handler.
    ///
    /// - Parameters:
    ///   - method: A method of both sides.
    ///   - request: Encoded in the caller's task.
    ///   - options: Timeout, which bounds all attempts together, and metadata.
    /// - Returns: The reply, decoded in the caller's task.
    /// - Throws: ``RPCError``; its ``RPCError/execution`` says whether the handler may have run. What
    ///   an interceptor throws that is no ``RPCError`` is ``StatusCode/unknown``.
    public func call<Request, Reply>(
        _ method: UnaryMethod<Request, Reply>, _ request: Request,
        options: CallOptions = .init()
    ) async throws(RPCError) -> Reply {
        try await counted(method.encoded) { (begin) async throws(RPCError) -> Reply in
            guard !chain.isEmpty else {
                return try await attempt(method, request, options, since: begin)
            }
            do {
                let call = OutgoingCall(method.encoded, method.service, method.name, .unary)
                return try await intercepted(call, options) { options in
                    try await attempt(method, request, options, since: pool.now)
                }
            } catch {
                throw RPCError(ofCaller: error)
            }
        }
    }

    /// As `call`, with the reply's bytes lent and not copied: on the loop of the client's connection a
    /// call allocates no more than ``RPCConnection/callBytes(_:_:options:_:)`` does, and once in 64
    /// calls what the pool leases.
    ///
    /// - Parameters:
    ///   - method: A method of both sides.
    ///   - request: What is sent.
    ///   - options: Timeout, which bounds all attempts together, and metadata.
    ///   - body: Gets the reply's bytes for the call, in the caller's task.
    /// - Returns: What `body` gives.
    /// - Throws: ``RPCError``, and what `body` throws.
    public func callBytes<Value>(
        _ method: UnaryMethod<[UInt8], [UInt8]>, _ request: [UInt8],
        options: CallOptions = .init(), _ body: (RawSpan) throws -> Value
    ) async throws -> Value {
        // Neither interceptors nor attempts beside each other can be lent what one attempt holds.
        guard chain.isEmpty, configuration.hedging == nil else {
            let reply = try await call(method, request, options: options)
            return try body(reply.span.bytes)
        }
        let outcome = try await counted(method.encoded) {
            (begin) async throws(RPCError) -> Result<Value, any Error> in
            try await repeating(method.traits, options, since: begin) {
                (connection, options) async throws(RPCError) -> Result<Value, any Error> in
                try await connection.lend(method, request, options) { bytes in
                    // What it throws is no failure of the call, and nothing to repeat it for.
                    Result { try body(bytes) }
                }
            }
        }
        return try outcome.get()
    }

    /// Sends a request that nobody answers. Whether it is served is not known.
    ///
    /// A peer that does not know the extensions answers all the same; its answer is dropped.
    ///
    /// - Parameters:
    ///   - method: A method of both sides.
    ///   - request: Encoded in the caller's task.
    ///   - options: Timeout and metadata.
    /// - Throws: ``RPCError`` where the request could not be sent.
    public func send<Request, Reply>(
        _ method: UnaryMethod<Request, Reply>, _ request: Request,
        options: CallOptions = .init()
    ) async throws(RPCError) {
        do {
            var call = OutgoingCall(method.encoded, method.service, method.name, .unary)
            call.isOneWay = true
            try await withLine(call, options) { connection, options in
                try await connection.send(method, request, options: options)
            }
        } catch {
            throw RPCError(ofCaller: error)
        }
    }

    private func attempt<Request, Reply>(
        _ method: UnaryMethod<Request, Reply>, _ request: Request, _ options: CallOptions,
        since begin: Instant
    ) async throws(RPCError) -> Reply {
        if let hedging = configuration.hedging, method.traits.contains(.idempotent) {
            return try await hedge(method, request, options, hedging)
        }
        return try await repeating(method.traits, options, since: begin) {
            (connection, options) async throws(RPCError) -> Reply in
            try await connection.call(method, request, options: options)
        }
    }

    /// Makes attempts, one after another, until one ends the call.
    private func repeating<Reply>(
        _ traits: RPCMethodTraits, _ options: CallOptions, since begin: Instant,
        _ attempt: (RPCConnection, CallOptions) async throws(RPCError) -> Reply
    ) async throws(RPCError) -> Reply {
        var retries = RetryCore()
        var (rest, moment) = (options, begin)
        while true {
            let failure: RPCError
            // Whoever waited for a connection in vain has waited long enough.
            var wasAttempted = false
            do throws(RPCError) {
                let isRepeated = retries.attempts > 1
                return try await once(
                    rest, moment, isRepeated: isRepeated, &wasAttempted, attempt)
            } catch {
                failure = error
            }
            guard wasAttempted, let policy = configuration.retry,
                retries.mayRepeat(failure, traits, policy), !Task.isCancelled,
                effort.mayRepeat()
            else { throw failure }
            let deadline = deadline(of: options, since: begin)
            let left = deadline.map { ($0 - pool.now).inNanoseconds } ?? .max
            var random = loop.random
            switch retries.failed(failure, policy, left: left, using: &random) {
            case .giveUp: throw failure
            case .again(let wait):
                if wait > 0 {
                    // Cancelled, it is the failure that counts.
                    do { try await loop.clock.sleep(for: .nanoseconds(wait)) } catch {
                        throw failure
                    }
                }
            }
            moment = pool.now
            if let deadline { rest.timeout = deadline - moment }
        }
    }

    /// Makes one attempt, whose time begins at `moment`; `wasAttempted` says whether it came to a
    /// connection, and only then one that repeats another is counted.
    @inline(__always)
    func once<Reply>(
        _ options: CallOptions, _ moment: Instant, isRepeated: Bool = false,
        _ wasAttempted: inout Bool,
        _ attempt: (RPCConnection, CallOptions) async throws(RPCError) -> Reply
    ) async throws(RPCError) -> Reply {
        let permit = try effort.hasBreaker ? effort.begin(at: pool.now) : nil
        var options = options
        let line = try await line(&options, since: moment, permit)
        wasAttempted = true
        if isRepeated { effort.repeated() }
        do throws(RPCError) {
            let reply = try await attempt(line.link.connection, options)
            lines.giveBack(line, .success)
            effort.succeeded()
            if permit != nil { effort.ended(permit, .success, at: pool.now) }
            return reply
        } catch {
            let outcome = effort.outcome(of: error)
            lines.giveBack(line, outcome)
            if permit != nil { effort.ended(permit, outcome, at: pool.now) }
            throw error
        }
    }

    // MARK: - Lines

    /// The latest moment at which a call that began at `begin` may end.
    func deadline(of options: CallOptions, since begin: Instant) -> Instant? {
        guard let timeout = options.timeout ?? configuration.connection.callTimeout else {
            return RPCDeadline.current
        }
        let end = begin + timeout
        guard let outer = RPCDeadline.current else { return end }
        return min(outer, end)
    }

    /// A line for a call, which is in flight from then on.
    ///
    /// - Parameters:
    ///   - options: The call's; where it has to wait, its timeout is shortened by that.
    ///   - begin: When the call's time began; it waits until its deadline.
    ///   - permit: The breaker's; it is told where there is no line.
    /// - Returns: The line, to be given back.
    /// - Throws: Why there is none.
    @inline(__always)
    func line(
        _ options: inout CallOptions, since begin: Instant, _ permit: ErrorRateBreaker.Permit?
    ) async throws(RPCError) -> Line {
        var taken = lines.take(wantsKept: options.affinity == nil)
        if case .line(let line) = taken {
            guard line.link.isLeaving else { return line }
            line.end()
            taken = .lease(epoch: line.epoch)
        }
        do throws(RPCError) {
            let deadline = deadline(of: options, since: begin)
            let line = try await lease(taken, options, deadline)
            if let deadline { options.timeout = deadline - pool.now }
            return line
        } catch {
            effort.ended(permit, .neutral, at: pool.now)
            throw error
        }
    }

    private func lease(
        _ taken: LineShelf.OnTake, _ options: CallOptions, _ deadline: Instant?
    ) async throws(RPCError) -> Line {
        let epoch: Int
        switch taken {
        case .line(let line): return line
        case .lease(let current): epoch = current
        case .wait(let seat):
            if let line = try await lines.wait(seat, until: deadline) {
                guard line.link.isLeaving else { return line }
                line.end()
            }
            epoch = lines.epoch
        case .refuse(let error): throw error
        }
        let isShared = options.affinity == nil
        let patience = pool.now + configuration.pool.pool.leaseTimeout
        var hasWaited = false
        defer {
            if hasWaited { lines.waitedForLease() }
        }
        do throws(EndpointPoolError) {
            let lease = try await pool.lease(
                key: options.affinity, deadline: min(patience, deadline ?? patience)
            ) {
                hasWaited = true
                lines.waitsForLease()
            }
            return Line(lease, epoch: epoch, isShared: isShared)
        } catch {
            lines.giveBack(nil, .neutral)
            throw RPCError(error, isLate: deadline.map { $0 <= patience } ?? false)
        }
    }
}

extension RPCError {
    /// What a caller is told of an error that an interceptor of its own threw.
    init(ofCaller error: any Error) {
        if let error = error as? RPCError {
            self = error
        } else if error is CancellationError {
            self.init(.cancelled, "the call was cancelled", execution: .unknown)
        } else {
            self.init(.unknown, "\(error)", execution: .unknown)
        }
    }

    /// What it means for a call that a pool has no connection for it.
    ///
    /// - Parameters:
    ///   - error: The pool's.
    ///   - isLate: Whether it was the call's deadline that bounded the wait.
    init(_ error: EndpointPoolError, isLate: Bool) {
        let code: StatusCode =
            switch error.reason {
            case .cancelled: .cancelled
            case .noEndpoints, .closed: .unavailable
            case .exhausted:
                isLate && error.attempts.last?.error.isOfTime == true
                    ? .deadlineExceeded : .unavailable
            }
        self.init(code, "\(error)", execution: .notRun)
    }
}

extension PoolError {
    /// Whether the deadline came first.
    fileprivate var isOfTime: Bool {
        switch reason {
        case .timedOut, .deadlineTooShort: true
        case .queueFull, .cancelled, .draining, .closed: false
        }
    }
}
